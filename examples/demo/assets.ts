/**
 * The files beside the page.
 *
 * @module
 */

import { STYLE } from "./style.ts";

/** A file. */
export interface Asset {
  readonly type: string;
  readonly body: string;
}

/** Four tiles of a mosaic, one of them missing from its place. */
const ICON =
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 28 28" fill="#17897b">
<rect x="2" y="2" width="11" height="11" rx="2.5"/>
<rect x="2" y="15" width="11" height="11" rx="2.5" opacity=".55"/>
<rect x="15" y="15" width="11" height="11" rx="2.5"/>
<rect x="17" y="0.5" width="9" height="9" rx="2" transform="rotate(14 21.5 5)" fill="#e0a03b"/>
</svg>
`;

/** Waits to be told that this session has ended, and says so. */
const LIVE = `
const events = new EventSource("/events");
events.addEventListener("signed-out", () => {
  events.close();
  document.querySelector("main").inert = true;
  document.querySelector("[role=status]").replaceChildren();
  const notice = document.createElement("p");
  notice.className = "notice";
  const link = document.createElement("a");
  link.href = "/";
  link.textContent = "Start again";
  notice.append("You were signed out. ", link);
  document.querySelector("[role=alert]").replaceChildren(notice);
});
`;

/** The files by their paths. */
export const ASSETS: ReadonlyMap<string, Asset> = new Map([
  ["/style.css", { type: "text/css; charset=utf-8", body: STYLE }],
  ["/live.js", { type: "text/javascript; charset=utf-8", body: LIVE }],
  ["/icon.svg", { type: "image/svg+xml", body: ICON }],
]);
