// A real control plane for one suite: etcd, kube-apiserver and, if wanted, kube-controller-manager,
// on loopback or inside a network namespace. Nodes and Pods are made by hand with objects.ts, or run by
// kubelet.ts with the scheduler and the controllers of workloads.

import { execFile } from "node:child_process";
import { generateKeyPairSync, randomBytes, randomInt } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Assets, findAssets } from "./assets.ts";
import { AUDIT_POLICY, type AuditedRequest, readAuditLog } from "./audit.ts";
import { boundToUs, Daemon } from "./daemon.ts";
import { eventually, GiveUp } from "./eventually.ts";
import { hireJanitor, type Janitor } from "./janitor.ts";
import { startRelay } from "./relay.ts";
import { type Json, type Method, Requester, type RequestOptions, type Watch } from "./request.ts";

export type ClusterOptions = {
  /** Run inside this network namespace; `bindAddress` is then an address in it. */
  readonly netns?: string;
  /** Where others reach the API server; default 127.0.0.1. */
  readonly bindAddress?: string;
  /**
   * Run the controllers for EndpointSlices, garbage, deleted Namespaces and default service
   * accounts; default false.
   */
  readonly controllers?: boolean;
  /**
   * Run also the scheduler, the controllers of Deployments, DaemonSets and PodDisruptionBudgets, and
   * the admission that gives Pods the token of their service account; default false. kubelet.ts then
   * runs the Pods.
   */
  readonly workloads?: boolean;
  /** Note every request, for `audit()`; default false. */
  readonly audit?: boolean;
  /** Keep the daemons' logs here; by default they go with the cluster. */
  readonly logFolder?: string;
};

export type ToolOptions = {
  /** Given to standard input; default nothing. */
  readonly input?: string;
  /** Default the administrator's. */
  readonly kubeconfig?: string;
};

export type ServiceAccount = { readonly namespace: string; readonly name: string };

export type KubeconfigOptions = {
  /** Whose: a bearer token, or a service account that a token is requested for; default the administrator's. */
  readonly token?: string;
  readonly serviceAccount?: ServiceAccount;
  /** For programs inside network namespaces, with `nodeUrl`; default false, with `url`. */
  readonly forNodes?: boolean;
};

/**
 * Starts a fresh control plane and waits until it serves: about three seconds, once its programs
 * are there. It ends by `stop`, or with this process however that ends.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const assets = await findAssets();
  for (let attempt = 1; ; attempt++) {
    const cluster = new Cluster(assets, options);
    try {
      await cluster.start();
      return cluster;
    } catch (error) {
      await cluster.stop();
      if (!(error instanceof PortTaken) || attempt === 5) throw error;
    }
  }
}

/** Made by `startCluster`. */
export class Cluster {
  readonly assets: Assets;
  /** Bearer token of the user system:kube-proxy, whom a standard binding lets do what it needs. */
  readonly kubeProxyToken = randomBytes(16).toString("hex");
  readonly #adminToken = randomBytes(16).toString("hex");
  readonly #options: ClusterOptions;
  readonly #bindAddress: string;
  readonly #port: number;
  readonly #folder: string;
  readonly #logFolder: string;
  readonly #janitor: Janitor;
  readonly #daemons = new Set<Daemon>();
  #url = "";
  #ca = "";
  #requester: Requester | undefined;
  #etcd: Daemon | undefined;
  #apiServer: Daemon | undefined;
  #stopping: Promise<void> | undefined;
  #kubeconfigs = 0;

  constructor(assets: Assets, options: ClusterOptions) {
    this.assets = assets;
    this.#options = options;
    this.#bindAddress = options.bindAddress ?? "127.0.0.1";
    this.#port = somePort();
    this.#folder = mkdtempSync(join(tmpdir(), `metallb-ts-cluster-${process.pid}-`));
    this.#janitor = hireJanitor("rm", "-rf", this.#folder);
    this.#logFolder = options.logFolder ?? join(this.#folder, "logs");
  }

  /** Where this process and its children reach the API server. */
  get url(): string {
    return this.#url;
  }

  /** Where the API server is for programs in network namespaces; without `netns`, as `url`. */
  get nodeUrl(): string {
    const address = this.#bindAddress;
    return `https://${address.includes(":") ? `[${address}]` : address}:${this.#port}`;
  }

  /** The administrator's, with `url`. */
  get kubeconfigPath(): string {
    return join(this.#folder, "kubeconfig");
  }

  /** Called once, by `startCluster`. */
  async start(): Promise<void> {
    await mkdir(this.#logFolder, { recursive: true });
    await this.#writeSecrets();
    this.#etcd = this.startDaemon("etcd", this.assets.etcd, [
      `--data-dir=${join(this.#folder, "etcd")}`,
      "--unsafe-no-fsync",
      // Sockets in our own folder: no port to be taken, and no etcd but ours to be reached.
      `--listen-client-urls=${this.#etcdUrl}`,
      `--listen-peer-urls=unix://${join(this.#folder, "peer.sock")}`,
      // Of no use to a lone member, but it wants one that looks like host:port.
      "--advertise-client-urls=http://localhost:2379",
      "--log-level=warn",
    ]);
    const { netns } = this.#options;
    this.#url = netns === undefined ? this.nodeUrl : await this.#startRelay(netns);
    await this.startApiServer();
    await this.#writeKubeconfig("kubeconfig", {});
    const { controllers, workloads } = this.#options;
    if (controllers || workloads) await this.#startControllers();
    if (workloads) await this.#startScheduler();
  }

  /** Starts the API server again after `stopApiServer`: same port, same data. */
  async startApiServer(): Promise<void> {
    const certificates = join(this.#folder, "certificates");
    const loopback = this.#options.netns === undefined;
    const { workloads, audit } = this.#options;
    const anyAddress = this.#bindAddress.includes(":") ? "::" : "0.0.0.0";
    this.#apiServer = this.startDaemon("kube-apiserver", this.assets.kubeApiserver, [
      `--etcd-servers=${this.#etcdUrl}`,
      `--cert-dir=${certificates}`,
      `--bind-address=${loopback ? this.#bindAddress : anyAddress}`,
      `--advertise-address=${this.#bindAddress}`,
      `--secure-port=${this.#port}`,
      // Else it writes an EndpointSlice for itself, which must not hold a loopback address.
      ...(loopback ? ["--endpoint-reconciler-type=none"] : []),
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${this.#signingKeyPath}`,
      `--service-account-signing-key-file=${this.#signingKeyPath}`,
      "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
      "--authorization-mode=RBAC",
      `--token-auth-file=${join(this.#folder, "tokens.csv")}`,
      "--allow-privileged",
      // By default it would take the Hostname, a name that nothing here resolves.
      "--kubelet-preferred-address-types=InternalIP",
      ...(audit
        ? [
            `--audit-policy-file=${await this.writeFile("audit-policy.json", AUDIT_POLICY)}`,
            `--audit-log-path=${this.#auditLogPath}`,
            "--audit-log-maxsize=1000000",
          ]
        : []),
      // The one gives new Nodes a taint that nothing here would take away; the other would refuse Pods
      // as long as nothing makes the accounts called default.
      `--disable-admission-plugins=TaintNodesByCondition${workloads ? "" : ",ServiceAccount"}`,
    ]);
    await this.#untilServing(this.#apiServer, join(certificates, "apiserver.crt"));
  }

  /** Kills the API server; its data stay in etcd, its clients see their connections end. */
  async stopApiServer(): Promise<void> {
    await this.#apiServer?.stop();
    this.#requester?.close();
  }

  /** Ends everything and removes what it left. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      await Promise.all([...this.#daemons].map((daemon) => daemon.stop()));
      this.#requester?.close();
      await this.#janitor.clean();
    })();
    return this.#stopping;
  }

  /** One request as the administrator, or as the owner of `options.token`. */
  request(method: Method, path: string, body?: unknown, options?: RequestOptions): Promise<Json> {
    if (!this.#requester) throw new Error("Cannot send a request: the API server never served");
    return this.#requester.json(method, path, body, options);
  }

  /** The objects of a collection, now and as they change; calls `onChange` after every change. */
  watch(path: string, onChange: () => void): Watch {
    if (!this.#requester) throw new Error("Cannot watch: the API server never served");
    return this.#requester.watch(path, onChange);
  }

  /** Every request so far that is not just beginning; only with the option `audit`. */
  audit(): Promise<readonly AuditedRequest[]> {
    if (!this.#options.audit) throw new Error("Cannot read the audit log: want option audit");
    return readAuditLog(this.#auditLogPath);
  }

  /** Standard output of kubectl, run as the administrator; its standard error is in the Error. */
  kubectl(args: readonly string[], options: ToolOptions = {}): Promise<string> {
    return this.#runTool("kubectl", this.assets.kubectl, args, options);
  }

  /** Standard output of helm, run as the administrator; its standard error is in the Error. */
  helm(args: readonly string[], options: ToolOptions = {}): Promise<string> {
    const { helm } = this.assets;
    if (helm === undefined) throw new Error("Cannot run helm: want Go to build it");
    return this.#runTool("helm", helm, args, options);
  }

  #runTool(
    name: string,
    program: string,
    args: readonly string[],
    { input = "", kubeconfig = this.kubeconfigPath }: ToolOptions,
  ): Promise<string> {
    const env = {
      ...process.env,
      KUBECONFIG: kubeconfig,
      KUBERC: "off",
      // Else what it learnt of one cluster is believed of the next one on the same port.
      KUBECACHEDIR: join(this.#folder, "kubectl-cache"),
      HELM_CACHE_HOME: join(this.#folder, "helm-cache"),
      HELM_CONFIG_HOME: join(this.#folder, "helm-config"),
      HELM_DATA_HOME: join(this.#folder, "helm-data"),
      NO_PROXY: "*",
    };
    return new Promise((resolve, reject) => {
      const options = { env, maxBuffer: 1 << 28 };
      const [command, ...rest] = boundToUs(program, args);
      const child = execFile(command, rest, options, (cause, stdout, stderr) => {
        if (!cause) resolve(stdout);
        else {
          const why = stderr.trim() || cause.message;
          reject(new Error(`Cannot run ${name} ${args.join(" ")}: ${why}`, { cause }));
        }
      });
      // It may end without having read everything.
      child.stdin?.on("error", () => {});
      child.stdin?.end(input);
    });
  }

  /** A token for the service account, good for a day, as a kubelet would get it: by TokenRequest. */
  async serviceAccountToken({ namespace, name }: ServiceAccount): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const { status } = await this.request("POST", path, { spec: { expirationSeconds: 86_400 } });
    return status.token;
  }

  /** Writes a kubeconfig, removed with the cluster, and returns its path. */
  writeKubeconfig(options: KubeconfigOptions = {}): Promise<string> {
    return this.#writeKubeconfig(`kubeconfig-${++this.#kubeconfigs}`, options);
  }

  /** Writes a file that is removed with the cluster, readable by us only, and returns its path. */
  async writeFile(name: string, text: string): Promise<string> {
    const path = join(this.#folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  /** Starts a daemon that ends with the cluster, by default where the cluster is. */
  startDaemon(
    name: string,
    command: string,
    args: readonly string[],
    netns: string | undefined = this.#options.netns,
  ): Daemon {
    const daemon = new Daemon({ name, command, args, netns, logPath: this.#logPath(name) });
    this.#daemons.add(daemon);
    return daemon;
  }

  get #etcdUrl(): string {
    return `unix://${join(this.#folder, "client.sock")}`;
  }

  get #signingKeyPath(): string {
    return join(this.#folder, SIGNING_KEY);
  }

  get #auditLogPath(): string {
    return join(this.#folder, "audit.log");
  }

  #logPath(name: string): string {
    return join(this.#logFolder, `${name}.log`);
  }

  async #writeSecrets(): Promise<void> {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    // kube-apiserver takes an EC key in SEC 1 form only.
    const pem = privateKey.export({ type: "sec1", format: "pem" }).toString();
    await this.writeFile(SIGNING_KEY, pem);
    const tokens = [
      `${this.#adminToken},admin,admin,system:masters`,
      `${this.kubeProxyToken},system:kube-proxy,system:kube-proxy,`,
    ];
    await this.writeFile("tokens.csv", `${tokens.join("\n")}\n`);
  }

  async #writeKubeconfig(name: string, options: KubeconfigOptions): Promise<string> {
    const { serviceAccount, forNodes } = options;
    const token =
      options.token ??
      (serviceAccount ? await this.serviceAccountToken(serviceAccount) : this.#adminToken);
    const ca = Buffer.from(this.#ca).toString("base64");
    const server = forNodes ? this.nodeUrl : this.#url;
    // JSON is YAML.
    return this.writeFile(
      name,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [{ name: "test", cluster: { server, "certificate-authority-data": ca } }],
        users: [{ name: "test", user: { token } }],
        contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
        "current-context": "test",
      }),
    );
  }

  /** A way from here into the namespace: its URL. */
  async #startRelay(netns: string): Promise<string> {
    const { port, daemon } = await startRelay({
      netns,
      host: this.#bindAddress,
      port: this.#port,
      logPath: this.#logPath("relay"),
    });
    this.#daemons.add(daemon);
    // The server's certificate names localhost whenever it listens on every address.
    return `https://localhost:${port}`;
  }

  async #untilServing(apiServer: Daemon, certificatePath: string): Promise<void> {
    const look = async () => {
      for (const daemon of [this.#etcd, apiServer]) {
        if (daemon?.ended !== undefined) throw startFailure(daemon);
      }
      if (!this.#requester) {
        // Signed by itself: the file holds the server's certificate and then the authority's. It is
        // there before it is whole.
        const certificates = await readFile(certificatePath, "utf8");
        if (certificates.match(/-----END CERTIFICATE-----\n/g)?.length !== 2) return false;
        this.#ca = certificates;
        this.#requester = new Requester(this.#url, this.#ca, this.#adminToken);
      }
      await this.#requester.text("GET", "/readyz?verbose");
      // Made in the background; without them the first Service or object may be refused.
      await this.request("GET", "/api/v1/namespaces/default");
      const cidrs = "/apis/networking.k8s.io/v1/servicecidrs/kubernetes";
      const { status } = await this.request("GET", cidrs);
      return status?.conditions?.some((c: Json) => c.type === "Ready" && c.status === "True");
    };
    try {
      await eventually(look, { describe: "kube-apiserver to be ready", timeoutMs: 90_000 });
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      throw new Error(`${error instanceof Error ? error.message : error}\n${apiServer.logTail()}`, {
        cause: error,
      });
    }
  }

  async #startControllers(): Promise<void> {
    const kubeconfig = await this.writeKubeconfig({ forNodes: true });
    const { workloads } = this.#options;
    this.#startOptional("kube-controller-manager", this.assets.kubeControllerManager, [
      `--kubeconfig=${kubeconfig}`,
      `--controllers=${[...CONTROLLERS, ...(workloads ? WORKLOAD_CONTROLLERS : [])].join(",")}`,
      "--leader-elect=false",
      // Serves nothing, so takes no port.
      "--secure-port=0",
      `--service-account-private-key-file=${this.#signingKeyPath}`,
      `--root-ca-file=${await this.writeFile("ca.crt", this.#ca)}`,
    ]);
  }

  async #startScheduler(): Promise<void> {
    const kubeconfig = await this.writeKubeconfig({ forNodes: true });
    this.#startOptional("kube-scheduler", this.assets.kubeScheduler, [
      `--kubeconfig=${kubeconfig}`,
      "--leader-elect=false",
      "--secure-port=0",
    ]);
  }

  #startOptional(name: string, command: string | undefined, args: readonly string[]): Daemon {
    if (command !== undefined) return this.startDaemon(name, command, args);
    throw new Error(`Cannot run ${name}: ${this.assets.folder} holds none`);
  }
}

const SIGNING_KEY = "service-accounts.key";
const CONTROLLERS = [
  "endpointslice-controller",
  "garbage-collector-controller",
  "namespace-controller",
  "serviceaccount-controller",
];
const WORKLOAD_CONTROLLERS = [
  "daemonset-controller",
  "deployment-controller",
  "disruption-controller",
  "replicaset-controller",
  "root-ca-certificate-publisher-controller",
];

/** Another process was quicker to take the port. */
class PortTaken extends GiveUp {}

function startFailure(daemon: Daemon): GiveUp {
  const log = daemon.logTail();
  const message = `Cannot start ${daemon.name}: it ended ${daemon.ended}\n${log}`;
  return log.includes("address already in use") ? new PortTaken(message) : new GiveUp(message);
}

/**
 * A port below those that Linux hands to outgoing connections (32768 and up) and NodePorts (30000
 * and up): none of them can take it while the API server is down for an outage test.
 */
function somePort(): number {
  return randomInt(16_000, 30_000);
}
