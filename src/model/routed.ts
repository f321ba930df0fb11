/** A request as far as routing looks at it. */
export interface RouteQuestion {
  /** Upper case. */
  readonly method: string;
  /** Absolute; its host is that of the request. */
  readonly url: string;
  /** Values by their names, in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where it would go. */
export interface RouteReport {
  /** Null: to no service, be it that nothing fits or that it is redirected. */
  readonly service: string | null;
}
