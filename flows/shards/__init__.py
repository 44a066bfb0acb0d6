"""Plan, read, encode, write and commit shards; nothing here knows Prefect."""
