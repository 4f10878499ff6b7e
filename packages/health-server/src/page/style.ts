/** The page's whole style sheet. No colour carries a meaning alone; light and dark by the reader's setting. */
export const style = `
:root{color-scheme:light dark;--page:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#5a6370;--line:#dcdfe4;--shade:#eef0f3;
--ok:#166c3b;--ok-bg:#def3e5;--warn:#7a4d00;--warn-bg:#fdeec7;--bad:#a8241c;--bad-bg:#fde3e0;--accent:#2458c6;--bar:#4f7ddb;--changed:#e4edff;--absent:#f3f3f5}
@media (prefers-color-scheme:dark){:root{--page:#0e1116;--card:#161a21;--text:#e4e7ec;--soft:#9aa4b2;--line:#2a303a;--shade:#1e242d;
--ok:#6fd797;--ok-bg:#12311f;--warn:#f0c35c;--warn-bg:#3a2c0a;--bad:#ff9d94;--bad-bg:#43191a;--accent:#8ab0ff;--bar:#5f8dea;--changed:#1d2c4d;--absent:#12151a}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
code,.number,.line{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.9em}
code{overflow-wrap:anywhere}
a{color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:4px}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
header,main,footer{max-width:1240px;margin:0 auto;padding:0 20px}
header{display:flex;align-items:center;justify-content:space-between;gap:12px;padding-top:16px;padding-bottom:4px;color:var(--soft);font-size:.9rem}
header b{color:var(--text);letter-spacing:.01em}
#live:empty{display:none}
#live{display:inline-flex;align-items:center;gap:8px;padding:2px 10px;border:1px solid var(--line);border-radius:99px;background:var(--card)}
#live::before{content:"";width:8px;height:8px;border-radius:50%;background:var(--ok)}
#live[data-kind=polling]::before{background:var(--warn)}
#live[data-kind=lost]{color:var(--bad);border-color:var(--bad);font-weight:600}
#live[data-kind=lost]::before{background:var(--bad);border-radius:0}
main{display:grid;grid-template-columns:repeat(12,minmax(0,1fr));gap:16px;padding-top:12px;padding-bottom:24px}
main>*{grid-column:span 12;min-width:0}
@media (min-width:900px){#alerts{grid-column:span 8}#services{grid-column:span 4}#outbox,#skipped{grid-column:span 6}}
.card,.headline,.fact{background:var(--card);border:1px solid var(--line);border-radius:12px}
.card{padding:18px 20px}
h1,h2,h3,p,ul,dl,dd{margin:0}
h2{font-size:1.05rem;line-height:1.3;margin-bottom:12px}
h3{font-size:.95rem;margin:14px 0 6px}
.note{color:var(--soft);font-size:.88rem}
.empty{color:var(--soft)}
p+p,.empty+.empty{margin-top:8px}
.headline{display:flex;gap:18px;align-items:flex-start;padding:20px;border-left:6px solid var(--ok)}
.headline .mark{flex:none;display:grid;place-items:center;width:48px;height:48px;border-radius:50%;font-size:24px;font-weight:700;background:var(--ok-bg);color:var(--ok)}
.headline.degraded{border-left-color:var(--warn)}.headline.degraded .mark{background:var(--warn-bg);color:var(--warn)}
.headline.error{border-left-color:var(--bad)}.headline.error .mark{background:var(--bad-bg);color:var(--bad)}
.headline>div:last-child{min-width:0}
.headline .progress{display:flex;flex-wrap:wrap;gap:8px 12px;align-items:center;margin-top:8px}.headline .progress progress{width:12rem;accent-color:var(--ok)}
h1{font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.01em}
h1 .node{color:var(--soft);font-weight:500;margin-right:.15em}
.workspace{color:var(--soft);font-size:.88rem;margin-top:2px}
.reasons{list-style:none;padding:0;margin-top:12px;display:grid;gap:6px}
.reasons li{display:flex;gap:10px;align-items:baseline;overflow-wrap:anywhere}
.badge{display:inline-block;flex:none;padding:0 8px;border-radius:99px;font-size:.8rem;line-height:1.55;font-weight:600;white-space:nowrap}
.badge.ok{background:var(--ok-bg);color:var(--ok)}.badge.warn{background:var(--warn-bg);color:var(--warn)}.badge.bad{background:var(--bad-bg);color:var(--bad)}.badge.quiet{background:var(--shade);color:var(--soft)}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(168px,1fr));gap:12px}
.fact{padding:12px 16px;min-width:0}
.fact dt{color:var(--soft);font-size:.85rem}
.fact strong{font-size:1.3rem;line-height:1.35;font-weight:620;font-variant-numeric:tabular-nums}
.fact strong code{font-size:.88em}
.fact.bad strong{color:var(--bad)}.fact.warn strong{color:var(--warn)}
.scroll{overflow-x:auto;margin-top:12px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
time{white-space:nowrap}
td code,th code{overflow-wrap:break-word}
#alerts td:last-child{min-width:200px}
th,td{padding:7px 14px 7px 0;text-align:left;vertical-align:top;border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:500;font-size:.85rem;white-space:nowrap}
tbody th{font-weight:600}
#nodes td,#hours td,#hours th{white-space:nowrap}
.picture{display:grid;grid-template-columns:minmax(88px,160px) minmax(0,1fr);gap:0}
.self{display:flex;flex-direction:column;justify-content:center;align-items:center;text-align:center;padding:12px 8px;border-radius:10px;border:2px solid var(--ok);background:var(--shade);overflow-wrap:anywhere}
.self.degraded{border-color:var(--warn)}.self.error{border-color:var(--bad)}
.self .hint{color:var(--soft);font-size:.8rem}
.links{list-style:none;padding:0;display:grid;gap:10px}
.link{display:grid;grid-template-columns:minmax(0,1fr) minmax(104px,190px);align-items:center}
.wire{display:grid;gap:1px;padding:0 4px}
.wire .label{text-align:center;font-size:.82rem;line-height:1.3;color:var(--soft);font-variant-numeric:tabular-nums}
.lane{position:relative;height:8px}
.lane::before{content:"";position:absolute;left:2px;right:2px;top:3px;border-top:2px solid var(--ok)}
.lane::after{content:"";position:absolute;top:0;border:4px solid transparent}
.lane.out::after{right:0;border-left:7px solid var(--ok);border-right:0}
.lane.in::after{left:0;border-right:7px solid var(--ok);border-left:0}
.lane.suspect::before{border-top:2px dashed var(--warn)}.lane.suspect::after{border-left-color:var(--warn);border-right-color:var(--warn)}
.lane.down::before,.lane.lost::before{border-top:2px dotted var(--bad)}.lane.down::after,.lane.lost::after{border-left-color:var(--bad);border-right-color:var(--bad)}
.lane.unknown::before{border-top:2px dotted var(--soft)}.lane.unknown::after{border-left-color:var(--soft);border-right-color:var(--soft)}
.peer{display:flex;flex-wrap:wrap;gap:2px 8px;align-items:center;justify-content:space-between;padding:8px 12px;border:2px solid var(--ok);border-radius:10px;background:var(--shade);overflow-wrap:anywhere}
.peer.suspect{border-color:var(--warn);border-style:dashed}.peer.down{border-color:var(--bad);border-style:dotted}.peer.unknown{border-color:var(--soft);border-style:dotted}
.picture .more{grid-column:2;padding:8px 4px 0;color:var(--soft);font-size:.88rem}
#nodes .verdict{margin-top:14px}
.strip{display:block;width:100%;height:84px;margin-top:12px}
.strip .bar{fill:var(--bar)}.strip .failed{fill:var(--bad)}.strip .ground{fill:var(--line)}
.strip g:hover .bar{opacity:.6}
.axis{display:flex;justify-content:space-between;color:var(--soft);font-size:.8rem;margin-bottom:10px}
details>summary{cursor:pointer;padding:6px 0}
.plain{list-style:none;padding:0;display:grid;gap:8px;margin-bottom:8px}
.plain .row{display:flex;justify-content:space-between;gap:12px;align-items:baseline}
.resolution{border-top:1px solid var(--line);padding:4px 0 10px;margin-top:10px}
.file{border:1px solid var(--line);border-radius:8px;padding:2px 12px;margin-top:8px}
.file[open]{padding-bottom:12px}
.sides{display:grid;gap:6px;margin:6px 0 10px}
.sides dt{font-weight:600;font-size:.88rem}
@media (min-width:640px){.sides{grid-template-columns:56px minmax(0,1fr)}}
.timeline th,.timeline td{vertical-align:top}
.timeline tbody th{white-space:nowrap;font-weight:400}
.timeline .plain{gap:2px;margin-bottom:0}
.filter{font:inherit;font-size:.85rem;padding:3px 12px;border:1px solid var(--line);border-radius:6px;background:var(--card);color:var(--text);cursor:pointer}
input{font:inherit;padding:2px 8px;border:1px solid var(--soft);border-radius:6px;background:var(--card);color:var(--text);max-width:100%}
.command{display:flex;gap:8px;align-items:flex-start}
.command code{flex:1;min-width:0;padding:4px 10px;background:var(--shade);border-radius:6px;white-space:pre-wrap}
.copy{flex:none;font:inherit;font-size:.85rem;padding:3px 12px;border:1px solid var(--line);border-radius:6px;background:var(--card);color:var(--text);cursor:pointer}
.copy:hover{border-color:var(--accent)}
html:not(.script) .fact time{white-space:normal;font-size:1rem}
html:not(.script) .copy,html.script .without-script{display:none}
.versions{table-layout:fixed;border:1px solid var(--line);min-width:420px}
.versions.of-3{min-width:760px}
.versions th{padding:5px 10px;border-left:1px solid var(--line);background:var(--shade)}
.versions td{border-top:0;padding:1px 8px}
.versions .number{text-align:right;color:var(--soft);border-left:1px solid var(--line);user-select:none}
.versions .numbers{width:52px}
.versions .line{white-space:pre-wrap;overflow-wrap:anywhere}
.diff .taken{background:var(--changed);box-shadow:inset 3px 0 0 var(--accent)}
.diff .lost{background:var(--warn-bg);text-decoration:line-through;text-decoration-color:var(--warn);text-decoration-thickness:1px}
.diff .new{background:var(--ok-bg);box-shadow:inset 3px 0 0 var(--ok)}
.legend{display:flex;flex-wrap:wrap;gap:8px;margin-top:10px}
.legend span{padding:0 10px;border-radius:3px;color:var(--text)}
.versions .absent{background:var(--absent)}
.versions .fold{text-align:center;color:var(--soft);background:var(--shade);font-size:.82rem;padding:2px}
footer{padding-bottom:32px;color:var(--soft);font-size:.88rem}
@media (max-width:480px){header,main,footer{padding-left:12px;padding-right:12px}.card{padding:14px}.headline{padding:14px;gap:12px}.headline .mark{width:36px;height:36px;font-size:18px}h1{font-size:1.25rem}
.facts{grid-template-columns:1fr 1fr;gap:8px}.fact{padding:10px 12px}.fact strong{font-size:1.1rem}.picture{grid-template-columns:72px minmax(0,1fr)}.link{grid-template-columns:minmax(0,1fr) 108px}.peer{padding:6px 8px}}
@media print{.scroll{overflow:visible}.copy{display:none}}
`.trim();
