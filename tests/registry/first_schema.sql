CREATE TABLE models (
	id INTEGER NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	description TEXT NOT NULL, 
	last_version INTEGER NOT NULL, 
	created_at DATETIME NOT NULL, 
	CONSTRAINT pk_models PRIMARY KEY (id), 
	CONSTRAINT uq_models_name UNIQUE (name)
);
CREATE TABLE versions (
	model_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	content_sha256 VARCHAR(64) NOT NULL, 
	digest VARCHAR(96) NOT NULL, 
	served_name TEXT NOT NULL, 
	served_version VARCHAR(20) NOT NULL, 
	signature JSON NOT NULL, 
	columns JSON NOT NULL, 
	artifact TEXT, 
	description TEXT NOT NULL, 
	created_at DATETIME NOT NULL, 
	created_by TEXT NOT NULL, 
	CONSTRAINT pk_versions PRIMARY KEY (model_id, number), 
	CONSTRAINT uq_versions_model_id_content_sha256 UNIQUE (model_id, content_sha256), 
	CONSTRAINT fk_versions_model_id FOREIGN KEY(model_id) REFERENCES models (id)
);
CREATE TABLE aliases (
	model_id INTEGER NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	version INTEGER NOT NULL, 
	moved_at DATETIME NOT NULL, 
	CONSTRAINT pk_aliases PRIMARY KEY (model_id, name), 
	CONSTRAINT fk_aliases_model_id_version FOREIGN KEY(model_id, version) REFERENCES versions (model_id, number)
);
CREATE TABLE alias_moves (
	id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	alias VARCHAR(128) NOT NULL, 
	at DATETIME NOT NULL, 
	"by" TEXT NOT NULL, 
	from_version INTEGER, 
	to_version INTEGER NOT NULL, 
	why TEXT NOT NULL, 
	CONSTRAINT pk_alias_moves PRIMARY KEY (id), 
	CONSTRAINT fk_alias_moves_model_id_to_version FOREIGN KEY(model_id, to_version) REFERENCES versions (model_id, number), 
	CONSTRAINT fk_alias_moves_model_id_from_version FOREIGN KEY(model_id, from_version) REFERENCES versions (model_id, number)
);
CREATE INDEX ix_alias_moves_model_id_alias_id ON alias_moves (model_id, alias, id);
