// Who we are and whom we trust, by client-node's KubeConfig: server, headers, TLS material. Reads the
// kubeconfig or the pod's service account, again when they may have changed; sends nothing.

import type { RequestOptions } from "node:https";
import path from "node:path";
// The client's index imports everything and costs 60 MiB more: docs/decisions/0002.
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";

export type Credentials = {
  /** Base URL, without a slash at the end. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What a TLS connection needs; empty for plain HTTP. */
  readonly tls: Pick<RequestOptions, "ca" | "cert" | "key" | "rejectUnauthorized" | "servername">;
  /** The agent of the kubeconfig's proxy-url; undefined: connect directly. */
  readonly proxyAgent: RequestOptions["agent"] | undefined;
};

/** How long what was read is used. client-node itself reads the token file again after 60 s. */
const FRESH_MS = 10_000;

export class CredentialSource {
  readonly #kubeconfig: string | undefined;
  #config: KubeConfig;
  #current: { readonly value: Promise<Credentials>; readonly readAtMs: number } | undefined;

  /** `kubeconfig` is one path or several, as in $KUBECONFIG; undefined: the pod's service account. */
  constructor(kubeconfig: string | undefined) {
    this.#kubeconfig = kubeconfig;
    this.#config = loadConfig(kubeconfig);
  }

  get server(): string {
    return serverOf(this.#config);
  }

  /** The credentials of now; files are read at most every 10 s. */
  current(): Promise<Credentials> {
    const now = performance.now();
    if (this.#current === undefined || now - this.#current.readAtMs > FRESH_MS) {
      const value = credentialsOf(this.#config);
      this.#current = { value, readAtMs: now };
      value.catch(() => {
        this.#current = undefined;
      });
    }
    return this.#current.value;
  }

  /** Reads everything again: the server did not accept what we had. */
  refresh(): void {
    this.#config = loadConfig(this.#kubeconfig);
    this.#current = undefined;
  }
}

function loadConfig(kubeconfig: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (kubeconfig === undefined) {
    config.loadFromCluster();
  } else {
    const [first, ...others] = kubeconfig.split(path.delimiter).filter((file) => file !== "");
    if (first === undefined) throw new Error(`Cannot read kubeconfig "": want a path`);
    for (const file of [first, ...others]) {
      const part = file === first ? config : new KubeConfig();
      try {
        part.loadFromFile(file);
      } catch (cause) {
        const detail = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`Cannot read kubeconfig "${file}": ${detail}`, { cause });
      }
      if (part !== config) config.mergeConfig(part, true);
    }
  }
  const server = serverOf(config);
  if (!URL.canParse(server) || new URL(server).hostname === "undefined") {
    throw new Error(
      kubeconfig === undefined
        ? "Cannot find the API server: want $KUBECONFIG, or to run in a pod with $KUBERNETES_SERVICE_HOST"
        : `Cannot find the API server in kubeconfig "${kubeconfig}": want a current-context with a cluster that has a server`,
    );
  }
  return config;
}

function serverOf(config: KubeConfig): string {
  return config.getCurrentCluster()?.server ?? "";
}

async function credentialsOf(config: KubeConfig): Promise<Credentials> {
  const server = serverOf(config);
  const cluster = config.getCurrentCluster();
  if (cluster !== null && server.startsWith("http:")) {
    // client-node refuses plain HTTP unless TLS verification is off, of which there is none here.
    Object.assign(cluster, { skipTLSVerify: true });
  }
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name] = String(value).trim();
  if (options.auth) {
    headers["Authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  const tls = server.startsWith("http:")
    ? {}
    : {
        ...(options.ca !== undefined && { ca: options.ca }),
        ...(options.cert !== undefined && { cert: options.cert }),
        ...(options.key !== undefined && { key: options.key }),
        ...(options.rejectUnauthorized !== undefined && {
          rejectUnauthorized: options.rejectUnauthorized,
        }),
        ...(options.servername !== undefined && { servername: options.servername }),
      };
  return {
    server,
    headers,
    tls,
    proxyAgent: cluster?.proxyUrl ? options.agent : undefined,
  };
}
