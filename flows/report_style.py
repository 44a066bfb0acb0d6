"""The style sheet of the job report."""

STYLE = """
:root{color-scheme:light dark;--paper:#f7f6f2;--card:#fff;--ink:#1b1f26;--soft:#59616e;
--faint:#8a919c;--line:#e3e1da;--ok:#2f6f5e;--ok-soft:#d5e6df;--warn:#b4620b;--warn-soft:#f5e3cb;
--bar:#3d5a98;--busy:#8c3b6b;--code:#efede6;--shade:0 1px 2px rgb(30 30 20/.06)}
@media (prefers-color-scheme:dark){:root{--paper:#101318;--card:#181c23;--ink:#e8e9ec;
--soft:#a7afbb;--faint:#767e8a;--line:#2b313b;--ok:#6fbfa5;--ok-soft:#1f3a33;--warn:#e8a352;
--warn-soft:#44311a;--bar:#8aa5e0;--busy:#dd8fbb;--code:#222832;
--shade:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,
"Segoe UI",Roboto,"Helvetica Neue",sans-serif;font-variant-numeric:tabular-nums}
main{max-width:1040px;margin:0 auto;padding:48px 24px 80px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.02em;margin:6px 0 10px;font-weight:650;
text-wrap:balance}
h2{font-size:19px;letter-spacing:-.01em;margin:52px 0 4px;font-weight:650}
h3{font-size:15px;margin:0;font-weight:650;overflow-wrap:anywhere}
p{margin:0 0 12px;max-width:72ch}
.eyebrow{color:var(--faint);font-size:12px;letter-spacing:.1em;text-transform:uppercase;
font-weight:600;margin:0}
.lead{color:var(--soft);font-size:16px}
.soft{color:var(--soft)}
.small{color:var(--soft);font-size:13px;margin:6px 0 0}
.card>.bars,.card>p.soft{margin:12px 0 4px}
code,.code{font:13px/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
overflow-wrap:anywhere}
p code,li code{background:var(--code);border-radius:4px;padding:1px 5px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:1px;
background:var(--card);border:1px solid var(--line);border-radius:12px;overflow:hidden;
margin:26px 0 20px;box-shadow:var(--shade)}
.tile{box-shadow:0 0 0 1px var(--line);padding:16px 18px}
.tile b{display:block;font-size:25px;line-height:1.2;letter-spacing:-.02em;font-weight:650}
.tile span{color:var(--soft);font-size:13px}
.tile.warn b{color:var(--warn)}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;
margin:14px 0;box-shadow:var(--shade)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:14px;
margin:14px 0}
.grid .card{margin:0}
.head{display:flex;justify-content:space-between;gap:12px;align-items:baseline;flex-wrap:wrap}
.head span{color:var(--soft);font-size:13px}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font:11px system-ui,sans-serif;fill:var(--soft);font-variant-numeric:tabular-nums}
.f-ok{fill:var(--ok)}.f-warn{fill:var(--warn)}.f-bar{fill:var(--bar)}
.s-line{stroke:var(--line)}.s-mean{stroke:var(--busy);stroke-width:1.5}
svg .t-mean{fill:var(--busy);font-weight:600}
.bars{display:grid;grid-template-columns:minmax(70px,max-content) 1fr max-content;gap:9px 16px;
font-size:13.5px;align-items:center}
.bars .row{display:contents}
.bars .row>span:first-child{max-width:22ch;overflow:hidden;text-overflow:ellipsis;
white-space:nowrap}
.bars i{display:block;height:16px;min-width:2px;border-radius:3px;background:var(--bar)}
.bars .strong{font-weight:650}.bars .strong i{background:var(--busy)}
.legend{display:flex;gap:20px;flex-wrap:wrap;color:var(--soft);font-size:13px;margin-top:10px}
.legend i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:7px}
.k-ok{background:var(--ok)}.k-warn{background:var(--warn)}
dl.stats{display:grid;grid-template-columns:repeat(auto-fit,minmax(76px,1fr));gap:6px 8px;
margin:12px 0 0;padding-top:12px;border-top:1px solid var(--line)}
dl.stats dt{color:var(--faint);font-size:12px}
dl.stats dd{margin:0;font-weight:600;white-space:nowrap}
dl.facts{display:grid;grid-template-columns:minmax(110px,max-content) 1fr;gap:7px 20px;margin:0}
dl.facts dt{color:var(--soft)}
dl.facts dd{margin:0;min-width:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px}
th{color:var(--soft);font-weight:500;font-size:12.5px;text-align:left;white-space:nowrap}
th,td{padding:7px 16px 7px 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}
td.n,th.n{text-align:right;white-space:nowrap}
.reason{padding:14px 0;border-top:1px solid var(--line)}
.reason:first-child{border-top:0;padding-top:0}
.reason:last-child{padding-bottom:0}
.meter{height:6px;border-radius:3px;background:var(--warn-soft);margin:8px 0 2px;overflow:hidden}
.meter i{display:block;height:100%;min-width:2px;background:var(--warn);border-radius:3px}
details{margin-top:8px}
summary{cursor:pointer;color:var(--soft);font-size:13.5px}
summary:hover{color:var(--ink)}
details[open] summary{margin-bottom:6px}
.null{color:var(--warn);font-style:italic}
.note{border-left:3px solid var(--warn);background:var(--card);padding:10px 16px;
border-radius:0 8px 8px 0;margin:12px 0;box-shadow:var(--shade)}
footer{color:var(--faint);font-size:13px;margin-top:48px;border-top:1px solid var(--line);
padding-top:16px}
@media (max-width:560px){main{padding:28px 16px 60px}h1{font-size:24px}
dl.facts{grid-template-columns:1fr;gap:1px}dl.facts dd{margin-bottom:9px}}
@media print{:root{--paper:#fff}main{padding:0}.card,.tiles{break-inside:avoid}}
"""
"""Light or dark as the reader's system is; no fonts, images or scripts are loaded."""
