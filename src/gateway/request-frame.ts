/** What a request is called on the worker protocol: its flags and its peers. Pure. */

import { Flag } from "../protocol/frame.ts";
import type { Peers, RequestHead } from "./client.ts";

/** @param secure whether the client's connection is encrypted, as the app sees it */
export function requestFlags(head: RequestHead, secure: boolean): number {
  let flags = head.version === 11 ? 0 : head.version === 20 ? Flag.HTTP2 : Flag.HTTP10;
  if (secure) flags |= Flag.TLS;
  if (head.websocket) flags |= Flag.WEBSOCKET;
  else if (head.bodyLength === 0) flags |= Flag.END;
  else if (head.expectContinue) flags |= Flag.EXPECT;
  return flags;
}

/** `HOST SP PORT SP HOST SP PORT`, client first; a Unix socket has neither. */
export function peersText({ clientHost, clientPort, serverHost, serverPort }: Peers): string {
  return `${clientHost} ${clientHost === "" ? "" : clientPort} ${serverHost} ${serverHost === "" ? "" : serverPort}`;
}
