// Asks the API server whose a bearer token is and whether that user may get /metrics. Remembers the
// answers for a while, by a digest of the token; never the token.

import { createHmac, randomBytes } from "node:crypto";
import type { Connection } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";

export type Verdict =
  | { readonly kind: "admitted" }
  | { readonly kind: "refused"; readonly status: 401 | 403 | 429 | 500; readonly message: string };

/** Whether who sent this Authorization header may read metrics. */
export type Reviewer = (authorization: string | undefined) => Promise<Verdict>;

export type ReviewerOptions = {
  readonly connection: Connection;
  readonly onError: (error: unknown) => void;
  /** Milliseconds on a clock that nobody sets. */
  readonly now: () => number;
};

/** How long a good answer is good: so long a token or a right that was taken away still works. */
export const ADMITTED_MS = 60_000;
/** So long one that was just given does not work yet. */
export const REFUSED_MS = 10_000;
/** Answers that are remembered: so many good ones, and so many bad ones. */
export const REMEMBERED = 256;
/** Reviews of unknown tokens at a time: who knocks with many bad tokens must not keep our other requests waiting. */
const CONCURRENCY = 4;
/** Of them in a second, as client-go by default: the API server counts them as ours, and has Services to write for us. */
export const PER_SECOND = 20;
const TIMEOUT_MS = 5_000;

const ADMITTED: Verdict = { kind: "admitted" };
const UNAUTHORIZED: Verdict = { kind: "refused", status: 401, message: "Unauthorized" };

export function createReviewer({ connection, onError, now }: ReviewerOptions): Reviewer {
  const secret = randomBytes(32);
  /** The oldest first. Apart, so that bad tokens do not displace good ones. */
  const known = { admitted: new Map<string, Answer>(), refused: new Map<string, Answer>() };
  const underWay = new Map<string, Promise<Verdict>>();

  /** When the last reviews of unknown tokens began. */
  const begun: number[] = [];

  const mayAsk = (): boolean => {
    const [oldest = Number.NEGATIVE_INFINITY] = begun;
    if (underWay.size >= CONCURRENCY) return false;
    if (begun.length === PER_SECOND && now() - oldest < 1000) return false;
    begun.push(now());
    if (begun.length > PER_SECOND) begun.shift();
    return true;
  };

  const remember = (digest: string, verdict: Verdict) => {
    // A review that failed says nothing about the token.
    if (verdict.kind === "refused" && verdict.status === 500) return;
    const untilMs = now() + (verdict.kind === "admitted" ? ADMITTED_MS : REFUSED_MS);
    for (const answers of [known.admitted, known.refused]) answers.delete(digest);
    const answers = known[verdict.kind];
    answers.set(digest, { verdict, untilMs });
    const [oldest] = answers.keys();
    if (answers.size > REMEMBERED && oldest !== undefined) answers.delete(oldest);
  };

  return async (authorization) => {
    const [, token] = /^Bearer +(\S+)$/i.exec(authorization?.trim() ?? "") ?? [];
    if (token === undefined) return UNAUTHORIZED;
    const digest = createHmac("sha256", secret).update(token).digest("base64");
    const found = known.admitted.get(digest) ?? known.refused.get(digest);
    if (found !== undefined && now() < found.untilMs) return found.verdict;
    const same = underWay.get(digest);
    if (same !== undefined) return same;
    // Who was admitted before does not queue behind who was not.
    if (!known.admitted.has(digest) && !mayAsk()) {
      return { kind: "refused", status: 429, message: "Too many tokens to review: try again" };
    }
    const reviewed = review(connection, token, onError);
    underWay.set(digest, reviewed);
    try {
      const verdict = await reviewed;
      remember(digest, verdict);
      return verdict;
    } finally {
      underWay.delete(digest);
    }
  };
}

type Answer = { readonly verdict: Verdict; readonly untilMs: number };
type User = {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
};
type TokenReview = {
  readonly status?: { readonly authenticated?: boolean; readonly user?: User };
};
type SubjectAccessReview = { readonly status?: { readonly allowed?: boolean } };

async function review(
  connection: Connection,
  token: string,
  onError: (error: unknown) => void,
): Promise<Verdict> {
  let failure = "Authentication failed";
  try {
    const { status } = await ask<TokenReview>(connection, "authentication.k8s.io", "TokenReview", {
      token,
    });
    if (status?.authenticated !== true) return UNAUTHORIZED;
    const { username = "", uid, groups, extra } = status.user ?? {};
    failure = `Authorization for user ${username} failed`;
    const access = await ask<SubjectAccessReview>(
      connection,
      "authorization.k8s.io",
      "SubjectAccessReview",
      {
        user: username,
        uid,
        groups,
        extra,
        nonResourceAttributes: { path: "/metrics", verb: "get" },
      },
    );
    if (access.status?.allowed === true) return ADMITTED;
    return {
      kind: "refused",
      status: 403,
      message: `Authorization denied for user ${username}`,
    };
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    onError(error);
    return { kind: "refused", status: 500, message: failure };
  }
}

function ask<T>(connection: Connection, group: string, kind: string, spec: object): Promise<T> {
  const apiVersion = `${group}/v1`;
  return connection.request<T>("POST", `/apis/${apiVersion}/${kind.toLowerCase()}s`, {
    body: { apiVersion, kind, spec },
    timeoutMs: TIMEOUT_MS,
  });
}
