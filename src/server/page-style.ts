/**
 * The page's style: high contrast for a phone in the sun (text at least 7 : 1), wide enough for a thumb,
 * light and dark. The fonts are the system's own; nothing is fetched. Pure.
 *
 * A row stands alone in one column on a phone, and in columns of fixed widths on a desk, so that all
 * rows line up without being a table. An IPv6 address of 39 characters fits in one line at 360 pixels.
 */
export const STYLE = `
:root{--page:#fff;--ink:#0f1419;--soft:#47505a;--line:#d5dbe1;--box:#eef2f5;--alarm:#a10f07;--glow:#fdf1ef}
@media (prefers-color-scheme:dark){:root{--page:#0d1115;--ink:#f4f6f8;--soft:#b4bec8;--line:#2a323b;--box:#1a2129;--alarm:#ffa297;--glow:#241311}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:40rem;background:var(--page);color:var(--ink);font:1rem/1.4 system-ui,sans-serif;-webkit-text-size-adjust:100%;text-size-adjust:100%}
header{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:0 1rem;padding:1.25rem 1rem .75rem}
header p,footer p{margin:0;color:var(--soft);font-size:.875rem}
h1{margin:0;font-size:1.625rem;line-height:1.2;letter-spacing:-.02em}
h1 em{color:var(--alarm);font-style:normal}
h2{margin:1.25rem 0 0;padding:0 1rem .5rem;border-bottom:1px solid var(--line);font-size:.9375rem;font-weight:600;color:var(--soft)}
h2 span{margin-left:.25rem;font-variant-numeric:tabular-nums}
.silent h2{color:var(--alarm)}
ul{margin:0;padding:0;list-style:none}
ul li{padding:.875rem 1rem;border-bottom:1px solid var(--line);break-inside:avoid}
.silent ul{border-left:.375rem solid var(--alarm);background:var(--glow)}
.silent li{padding-left:.625rem}
.silent p:first-of-type>time{color:var(--alarm);font-weight:700}
h3{margin:0 0 .375rem;font-size:1.1875rem;line-height:1.35;overflow:hidden;overflow-wrap:anywhere}
.place+.place{margin-top:.625rem}
.place p{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:0 1rem;margin:0}
code{display:flex;align-items:center;min-height:3rem;margin:0 -.5rem .375rem;padding:.375rem .5rem;border-radius:.5rem;background:var(--box);font:500 1.375rem/1.25 ui-monospace,SFMono-Regular,Menlo,Consolas,"Roboto Mono","DejaVu Sans Mono",monospace;font-variant-numeric:tabular-nums;overflow-wrap:anywhere;cursor:text;-webkit-user-select:all;user-select:all}
.silent code{background:var(--page)}
.long{font-size:min(1.0625rem,calc((100vw - 2rem)/23.6))}
small{color:var(--soft);font-size:.8125rem;font-variant-numeric:tabular-nums}
small b{color:var(--ink)}
details{margin-bottom:-.5rem;color:var(--soft);font-size:.875rem;overflow-wrap:anywhere}
summary{width:fit-content;padding:.75rem 0;cursor:pointer}
[role=listitem]{padding:.25rem 0}
.more,.empty>p{margin:1rem;color:var(--soft)}
.empty ol{margin:1rem;padding-left:1.5rem}
.empty li{margin:.75rem 0}
kbd{padding:.125rem .375rem;border-radius:.25rem;background:var(--box);font:.9375em ui-monospace,SFMono-Regular,Menlo,Consolas,"Roboto Mono","DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.command{display:block;margin-top:.375rem;padding:.625rem .75rem;border-radius:.5rem}
a{display:block;width:fit-content;padding:.75rem 0;color:inherit;font-weight:600}
footer{padding:1.25rem 1rem 2rem}
::selection{background:#0b57d0;color:#fff}
@media (min-width:60rem){
body{max-width:74rem;padding:0 1rem}
header{padding-top:2rem}
ul li{display:grid;grid-template-columns:13rem minmax(0,1fr);gap:0 1.5rem}
ul li,.silent li{padding-top:.625rem;padding-bottom:.625rem}
h3{margin:.6875rem 0}
.place{display:grid;grid-template-columns:26rem minmax(0,1fr) minmax(0,1fr);gap:0 1.5rem;align-items:center}
.place+.place{margin-top:.25rem}
.place p{display:block}
small{display:block}
details{padding-left:.5rem}
code{margin:0}
code,.silent code{background:none}
code:hover,.silent code:hover{background:var(--box)}
}
@media print{
:root{--page:#fff;--ink:#000;--soft:#333;--line:#999;--box:#fff;--alarm:#000;--glow:#fff}
code{min-height:0;background:none}
footer,details:not([open]){display:none}
}
`;
