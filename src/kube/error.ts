// What the API server answered, or that it did not answer, as one error. Opens nothing.

/** How a request to the API server failed. */
export class KubeError extends Error {
  /** HTTP status; undefined: no answer came, see `reason`. */
  readonly status: number | undefined;
  /** The Status object's reason such as "Conflict", else the system's error code such as "ECONNREFUSED". */
  readonly reason: string;
  readonly method: string;
  readonly path: string;
  /** The server's wish, from Retry-After; undefined: none. */
  readonly retryAfterMs: number | undefined;

  constructor(options: {
    readonly status: number | undefined;
    readonly reason: string;
    readonly detail: string;
    readonly method: string;
    readonly path: string;
    readonly retryAfterMs: number | undefined;
    readonly cause?: unknown;
  }) {
    super(
      `Cannot ${options.method} ${options.path}: ${[options.status, options.reason].filter((part) => part !== undefined && part !== "").join(" ")}: ${options.detail}`,
      { cause: options.cause },
    );
    this.name = "KubeError";
    this.status = options.status;
    this.reason = options.reason;
    this.method = options.method;
    this.path = options.path;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The error of an answer that is not 2xx; the body is a Status object unless something else answered. */
export function errorOfAnswer(
  method: string,
  path: string,
  status: number,
  retryAfter: string | undefined,
  body: string,
): KubeError {
  let reason = "";
  let detail = body.slice(0, 200).trim();
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed === "object" && parsed !== null) {
      if ("reason" in parsed && typeof parsed.reason === "string") reason = parsed.reason;
      if ("message" in parsed && typeof parsed.message === "string") detail = parsed.message;
    }
  } catch {
    // A proxy or a server that is just starting answers in plain text: then that is the detail.
  }
  const seconds = retryAfter === undefined ? Number.NaN : Number(retryAfter);
  return new KubeError({
    status,
    reason: reason === "" ? (STATUS_REASONS.get(status) ?? "Unknown") : reason,
    detail: detail === "" ? "no message" : detail,
    method,
    path,
    retryAfterMs: Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined,
  });
}

/** Reasons of apimachinery for answers without a Status object, such as those of a proxy. */
const STATUS_REASONS: ReadonlyMap<number, string> = new Map([
  [400, "BadRequest"],
  [401, "Unauthorized"],
  [403, "Forbidden"],
  [404, "NotFound"],
  [405, "MethodNotAllowed"],
  [409, "Conflict"],
  [410, "Gone"],
  [422, "Invalid"],
  [429, "TooManyRequests"],
  [500, "InternalError"],
  [503, "ServiceUnavailable"],
  [504, "Timeout"],
]);

/** The error of a request that got no answer, or half of one. */
export function errorOfSilence(method: string, path: string, cause: unknown): KubeError {
  if (cause instanceof KubeError) return cause;
  const error = innermost(cause);
  const code = "code" in error && typeof error.code === "string" ? error.code : error.name;
  return new KubeError({
    status: undefined,
    reason: code,
    detail: error.message,
    method,
    path,
    retryAfterMs: undefined,
    cause,
  });
}

/** An AggregateError (all addresses of a name tried) says nothing itself: its first error does. */
function innermost(cause: unknown): Error {
  if (cause instanceof AggregateError && cause.errors.length > 0) return innermost(cause.errors[0]);
  return cause instanceof Error ? cause : new Error(String(cause));
}
