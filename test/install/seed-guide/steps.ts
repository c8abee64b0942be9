// The seed guide as data: its commands in their order, what is run for each, where, and what its
// output must show. Runs nothing; walk.ts does.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** `administrator` is the shell with kubectl and helm, `client` the guide's client machine. */
export type Place = "administrator" | "client" | "router1" | "router2";

/** How the command that is run relates to the guide's text. */
export type Origin =
  | { readonly kind: "as written" }
  /** The guide has `written` in this place. */
  | { readonly kind: "replaced"; readonly written: string; readonly why: string }
  /** The guide takes it for granted, or it proves what the guide only says. */
  | { readonly kind: "added"; readonly why: string };

export type Step = {
  readonly origin: Origin;
  readonly place: Place;
  /** For `bash -c`. */
  readonly command: string;
  /** Its exit status; default 0. */
  readonly exit?: number;
  /** What its output must match, all of them. */
  readonly wants: readonly RegExp[];
  /** It changes something, so it is run once; others are run again until the output is as wanted. */
  readonly changes?: boolean;
};

export type Section = {
  /** The guide's heading. */
  readonly title: string;
  readonly text: string;
  /** Manifests that the guide shows here, saved for the commands. */
  readonly files?: readonly { readonly name: string; readonly sample: string }[];
  readonly steps: readonly Step[];
};

/** Of the administrator's machine, in containerlab.yml: a web server with the chart and the manifest. */
export const REPOSITORY = "http://192.168.1.20";
const CONFIG = "metallb-config.yaml";
const SAMPLES = "config/samples/seed-guide";

/** The text of a manifest of the guide. */
export function sampleText(sample: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../${sample}`, import.meta.url)), "utf8");
}

type Options = Partial<Pick<Step, "place" | "exit" | "changes">>;

function asWritten(command: string, wants: readonly RegExp[], options: Options = {}): Step {
  return { origin: { kind: "as written" }, place: "administrator", command, wants, ...options };
}

function replaced(
  written: string,
  command: string,
  why: string,
  wants: readonly RegExp[],
  options: Options = {},
): Step {
  const origin = { kind: "replaced", written, why } as const;
  return { origin, place: "administrator", command, wants, ...options };
}

function added(
  command: string,
  why: string,
  wants: readonly RegExp[],
  options: Options = {},
): Step {
  return { origin: { kind: "added", why }, place: "administrator", command, wants, ...options };
}

const ONCE = { changes: true } as const;
const FROM_CLIENT = { place: "client" } as const;

/** Two controllers and two speakers with all their containers, and nothing that is not running. */
const PODS_RUN = [
  /^(?:controller-\S+\s+1\/1\s+Running\b.*\n?){2}/m,
  /^(?:speaker-\S+\s+2\/2\s+Running\b.*\n?){2}/m,
] as const;
/** What the web server of the Pods answers. */
const FROM_MYAPP = /^Answered by myapp-\w+-\w+$/m;
const FROM_NGINX_TEST = /^Answered by nginx-test-\w+-\w+$/m;
const MAC = "(?:[0-9a-f]{2}:){5}[0-9a-f]{2}";

/** The condition that says so, as `kubectl describe` shows it. */
const ACCEPTED = /^\s+Reason:\s+Accepted\n\s+Status:\s+True\n\s+Type:\s+Accepted$/m;

const LOGS_OF_CONTROLLER = "kubectl logs -n metallb-system -l app=metallb,component=controller";
const LOGS_OF_SPEAKER = "kubectl logs -n metallb-system -l app=metallb,component=speaker";
const GET_PODS = "kubectl get pods -n metallb-system";
const LOG_LINE = '^\\{"level":"\\w+","ts":"[^"]+"';

function applyConfig(why: string, wants: readonly RegExp[]): Step {
  return added(`kubectl apply -f ${CONFIG}`, why, wants, ONCE);
}

export const SECTIONS: readonly Section[] = [
  {
    title: "The LoadBalancer Problem",
    text:
      "A Deployment and a Service of type LoadBalancer in a cluster without a load balancer: the " +
      "Service waits for an address.",
    steps: [
      added(
        "kubectl create deployment myapp --image=nginx:1.21",
        "it has an application `myapp` already",
        [/^deployment\.apps\/myapp created$/m],
        ONCE,
      ),
      added(
        "kubectl expose deployment myapp --port=80 --type=LoadBalancer",
        "its Service",
        [/^service\/myapp exposed$/m],
        ONCE,
      ),
      asWritten("kubectl get svc", [
        /^NAME\s+TYPE\s+CLUSTER-IP\s+EXTERNAL-IP\s+PORT\(S\)\s+AGE$/m,
        /^kubernetes\s+ClusterIP\s+10\.96\.0\.1\s+<none>\s+443\/TCP\s/m,
        /^myapp\s+LoadBalancer\s+10\.96\.\d+\.\d+\s+<pending>\s+80:\d+\/TCP\s/m,
      ]),
    ],
  },
  {
    title: "Prerequisites",
    text:
      "The guide says to enable strictARP and shows no command; this is the one of MetalLB's own " +
      "pages, on the ConfigMap as kubeadm makes it. The setting is for kube-proxy's mode `ipvs`, " +
      "where each node's kernel would answer ARP for every Service. kube-proxy runs in the mode `nftables` " +
      "here, where no kernel does, with or without it.",
    steps: [
      added(
        'kubectl get configmap kube-proxy -n kube-system -o yaml | sed -e "s/strictARP: false/strictARP: true/" | kubectl apply -f - -n kube-system',
        "it names the setting and no command",
        [/^configmap\/kube-proxy configured$/m],
        ONCE,
      ),
      added(
        "kubectl get configmap kube-proxy -n kube-system -o jsonpath='{.data.config\\.conf}' | grep strictARP",
        "what is set now",
        [/^\s+strictARP: true$/m],
      ),
    ],
  },
  {
    title: "Method 1: Install with Helm",
    text:
      "The chart of the guide's address is MetalLB's. Ours, `charts/metallb`, was packaged with " +
      "`helm package` and `helm repo index` and is served at another address; the other commands are as written.",
    steps: [
      replaced(
        "helm repo add metallb https://metallb.github.io/metallb",
        `helm repo add metallb ${REPOSITORY}/charts`,
        "that address has MetalLB's chart, not ours",
        [/^"metallb" has been added to your repositories$/m],
        ONCE,
      ),
      asWritten(
        "helm repo update",
        [/^\.\.\.Successfully got an update from the "metallb" chart repository$/m],
        ONCE,
      ),
      asWritten(
        "helm install metallb metallb/metallb -n metallb-system --create-namespace",
        [/^NAME: metallb$/m, /^NAMESPACE: metallb-system$/m, /^STATUS: deployed$/m],
        ONCE,
      ),
      asWritten(GET_PODS, PODS_RUN),
    ],
  },
  {
    title: "Method 2: Install with Manifests",
    text:
      "The other way to the same objects. It is tried after an uninstallation, and afterwards the " +
      "chart is installed again, which the guide recommends; the rest runs on that.",
    steps: [
      added(
        "helm uninstall metallb -n metallb-system --wait",
        "the two methods exclude each other",
        [
          /^\[CustomResourceDefinition\] ipaddresspools\.metallb\.io$/m,
          /^release "metallb" uninstalled$/m,
        ],
        ONCE,
      ),
      added(
        "kubectl get crd -o name | grep metallb.io | xargs kubectl delete",
        "the definitions, which stay with all objects of their kinds; there are none yet",
        [
          /^customresourcedefinition\.apiextensions\.k8s\.io "ipaddresspools\.metallb\.io" deleted/m,
        ],
        ONCE,
      ),
      added(
        "kubectl delete namespace metallb-system",
        "helm leaves it too",
        [/^namespace "metallb-system" deleted/m],
        ONCE,
      ),
      replaced(
        "kubectl apply -f https://raw.githubusercontent.com/metallb/metallb/main/config/manifests/metallb-native.yaml",
        `kubectl apply -f ${REPOSITORY}/manifests/metallb.yaml`,
        "that address has MetalLB's manifest; ours is `config/manifests/metallb.yaml`",
        [
          /^deployment\.apps\/controller created$/m,
          /^daemonset\.apps\/speaker created$/m,
          /^customresourcedefinition\.apiextensions\.k8s\.io\/ipaddresspools\.metallb\.io created$/m,
        ],
        ONCE,
      ),
      asWritten(GET_PODS, PODS_RUN),
      added(
        `kubectl delete -f ${REPOSITORY}/manifests/metallb.yaml`,
        "back to the chart",
        [/^namespace "metallb-system" deleted/m, /^daemonset\.apps "speaker" deleted/m],
        ONCE,
      ),
      added(
        "helm install metallb metallb/metallb -n metallb-system --create-namespace",
        "back to the chart",
        [/^STATUS: deployed$/m],
        ONCE,
      ),
      added(GET_PODS, "it is back", PODS_RUN),
    ],
  },
  {
    title: "Layer 2 Configuration Example",
    text: `The example, saved as \`${CONFIG}\`. The Service that waited gets the pool's first address, and the client an answer from it.`,
    files: [{ name: CONFIG, sample: `${SAMPLES}/a-pool-announced-by-arp-and-ndp.yaml` }],
    steps: [
      applyConfig("it shows the manifest only", [
        /^ipaddresspool\.metallb\.io\/first-pool created$/m,
        /^l2advertisement\.metallb\.io\/layer2-config created$/m,
      ]),
      added("kubectl get svc myapp", "the Service has an address now", [
        /^myapp\s+LoadBalancer\s+\S+\s+192\.168\.1\.240\s+80:\d+\/TCP\s/m,
      ]),
      added("curl -sS http://192.168.1.240", "and answers the client", [FROM_MYAPP], FROM_CLIENT),
    ],
  },
  {
    title: "BGP Configuration Example",
    text:
      "The example in the place of the last one. The first address of its pool is 192.168.10.0, as " +
      "nothing says to avoid it; router1 (FRR, 192.168.0.1, AS 64501) learns it from both workers.",
    files: [
      { name: "bgp-config.yaml", sample: `${SAMPLES}/a-pool-announced-to-a-router-by-bgp.yaml` },
    ],
    steps: [
      added(
        `kubectl delete -f ${CONFIG}`,
        "the examples are alternatives",
        [/^ipaddresspool\.metallb\.io "first-pool" deleted/m],
        ONCE,
      ),
      added(
        "kubectl apply -f bgp-config.yaml",
        "it shows the manifest only",
        [
          /^ipaddresspool\.metallb\.io\/bgp-pool created$/m,
          /^bgppeer\.metallb\.io\/router-peer created$/m,
          /^bgpadvertisement\.metallb\.io\/bgp-advert created$/m,
        ],
        ONCE,
      ),
      added("kubectl get svc myapp", "the Service has an address of the new pool", [
        /^myapp\s+LoadBalancer\s+\S+\s+192\.168\.10\.0\s+80:\d+\/TCP\s/m,
      ]),
      added(
        "vtysh -c 'show ip route 192.168.10.0/32'",
        "the router has it from both workers",
        [/Known via "bgp"/, /192\.168\.1\.11, via eth1/, /192\.168\.1\.12, via eth1/],
        { place: "router1" },
      ),
      added(
        "curl -sS http://192.168.10.0",
        "and the client gets an answer through the router",
        [FROM_MYAPP],
        FROM_CLIENT,
      ),
      added(
        "kubectl delete -f bgp-config.yaml",
        "the examples are alternatives",
        [/^ipaddresspool\.metallb\.io "bgp-pool" deleted/m],
        ONCE,
      ),
      added(
        "kubectl delete service,deployment myapp",
        "so that the guide's next Service gets the address it names",
        [/^service "myapp" deleted/m, /^deployment\.apps "myapp" deleted/m],
        ONCE,
      ),
    ],
  },
  {
    title: "Applying and Verifying Configuration",
    text:
      `The complete example, saved as \`${CONFIG}\`: each worker has a router of its own. Both use the ` +
      "routerID 192.168.0.100; that is accepted, and works because neither router sees both workers. " +
      "The API server warns of BGPPeer's old version v1beta1, as MetalLB's does.",
    files: [
      { name: CONFIG, sample: `${SAMPLES}/addresses-by-arp-and-through-two-routers-by-node.yaml` },
    ],
    steps: [
      asWritten(
        `kubectl apply -f ${CONFIG}`,
        [
          /^ipaddresspool\.metallb\.io\/production-public-ips created$/m,
          /^l2advertisement\.metallb\.io\/layer2-prod created$/m,
          /^bgppeer\.metallb\.io\/router1 created$/m,
          /^bgppeer\.metallb\.io\/router2 created$/m,
          /^bgpadvertisement\.metallb\.io\/bgp-prod created$/m,
        ],
        ONCE,
      ),
      asWritten("kubectl describe ipaddresspool -n metallb-system", [
        /^Name:\s+production-public-ips$/m,
        /^\s+192\.168\.1\.240-192\.168\.1\.250$/m,
        /^\s+Avoid Buggy I\s?Ps:\s+true$/m,
        // 11 addresses of the range; 256 of the prefix without .0 and .255.
        /^\s+availableIPv4:\s+265$/im,
        ACCEPTED,
      ]),
      asWritten("kubectl describe l2advertisement -n metallb-system", [
        /^Name:\s+layer2-prod$/m,
        /^\s+production-public-ips$/m,
        ACCEPTED,
      ]),
      asWritten("kubectl describe bgppeer -n metallb-system", [
        /^Name:\s+router1$/m,
        /^Name:\s+router2$/m,
        /^\s+Router ID:\s+192\.168\.0\.100$/m,
        /^\s+Hold Time:\s+120s$/m,
        ACCEPTED,
      ]),
      asWritten("kubectl describe bgpadvertisement -n metallb-system", [
        /^Name:\s+bgp-prod$/m,
        /^\s+Aggregation Length:\s+32$/m,
        /^\s+64500:100$/m,
        ACCEPTED,
      ]),
    ],
  },
  {
    title: "Deploy a Test Application",
    text: "The Deployment and the Service, saved as `nginx-test.yaml`.",
    files: [
      { name: "nginx-test.yaml", sample: `${SAMPLES}/a-web-server-that-wants-an-address.yaml` },
    ],
    steps: [
      added(
        "kubectl apply -f nginx-test.yaml",
        "it shows the manifest only",
        [/^deployment\.apps\/nginx-test created$/m, /^service\/nginx-test created$/m],
        ONCE,
      ),
    ],
  },
  {
    title: "Verify External IP Assignment",
    text: "The address is the one the guide expects.",
    steps: [
      asWritten("kubectl get svc nginx-test", [
        /^nginx-test\s+LoadBalancer\s+10\.96\.\d+\.\d+\s+192\.168\.1\.240\s+80:\d+\/TCP\s/m,
      ]),
      asWritten("curl http://192.168.1.240", [FROM_NGINX_TEST], FROM_CLIENT),
      added("kubectl describe svc nginx-test", "its events say how it came to be", [
        /^LoadBalancer Ingress:\s+192\.168\.1\.240\b/m,
        /Normal\s+IPAllocated\s.*Assigned IP \["192\.168\.1\.240"\]/,
        /Normal\s+nodeAssigned\s.*announcing from node "worker-1" with protocol "bgp"/,
        /Normal\s+nodeAssigned\s.*announcing from node "worker-2" with protocol "bgp"/,
        /Normal\s+nodeAssigned\s.*announcing from node "worker-[12]" with protocol "layer2"/,
      ]),
    ],
  },
  {
    title: "Address Pool Options",
    text:
      "The pool overlaps with that of the complete example. It is refused, by name and with the reason, " +
      "and nothing else changes; when the other is gone it is taken up by itself. The Service then gets " +
      "its first address but for 192.168.10.0, which avoidBuggyIPs keeps back.",
    files: [
      {
        name: "advanced-pool.yaml",
        sample: `${SAMPLES}/a-pool-that-avoids-addresses-some-clients-refuse.yaml`,
      },
    ],
    steps: [
      added(
        "kubectl apply -f advanced-pool.yaml",
        "it shows the manifest only",
        [/^ipaddresspool\.metallb\.io\/advanced-pool created$/m],
        ONCE,
      ),
      added(
        "kubectl describe ipaddresspool advanced-pool -n metallb-system",
        "what is wrong with it",
        [
          /Cannot use "192\.168\.10\.0\/24": overlaps with .* of IPAddressPool "production-public-ips"/,
          /^\s+Status:\s+False\n\s+Type:\s+Accepted$/m,
          /^\s+Warning\s+ConfigurationError\s/m,
        ],
      ),
      added(
        `kubectl delete -f ${CONFIG}`,
        "away with the other one",
        [/^ipaddresspool\.metallb\.io "production-public-ips" deleted/m],
        ONCE,
      ),
      added("kubectl get svc nginx-test", "an address of the pool that was refused", [
        /^nginx-test\s+LoadBalancer\s+\S+\s+192\.168\.10\.1\s/m,
      ]),
    ],
  },
  {
    title: "BGP Options",
    text:
      "One thing to know: the guide calls the community 65535:65282 no-export. It is no-advertise " +
      "(RFC 1997); no-export is 65535:65281. The routers obey, and tell nobody.",
    files: [
      {
        name: "advanced-bgp.yaml",
        sample: `${SAMPLES}/routes-with-communities-and-local-preference.yaml`,
      },
    ],
    steps: [
      added(
        "kubectl apply -f advanced-bgp.yaml",
        "it shows the manifest only",
        [/^bgpadvertisement\.metallb\.io\/advanced-bgp created$/m],
        ONCE,
      ),
    ],
  },
  {
    title: "BFD (Bidirectional Forwarding Detection) for Faster Failover",
    text:
      "The intervals are numbers of milliseconds in MetalLB's API, which refuses `300ms`; here both " +
      "are taken. The peer announces the address of the advanced pool with the advertisement above.",
    files: [
      { name: "bfd.yaml", sample: `${SAMPLES}/a-router-watched-by-bfd-for-fast-failover.yaml` },
    ],
    steps: [
      added(
        "kubectl apply -f bfd.yaml",
        "it shows the manifest only",
        [
          /^bfdprofile\.metallb\.io\/fast-failover created$/m,
          /^bgppeer\.metallb\.io\/router-with-bfd created$/m,
        ],
        ONCE,
      ),
      added(
        "vtysh -c 'show bfd peers brief'",
        "the router has BFD with both workers",
        [/192\.168\.1\.11\s+up\b/, /192\.168\.1\.12\s+up\b/],
        { place: "router1" },
      ),
      added(
        "vtysh -c 'show ip bgp 192.168.10.1/32'",
        "the route with its communities; the local preference stays inside an AS (RFC 4271)",
        [
          /^\s+192\.168\.1\.11\S* from \S*192\.168\.1\.11/m,
          /^\s+192\.168\.1\.12\S* from \S*192\.168\.1\.12/m,
          /^\s+Community: 64500:100 no-advertise$/m,
        ],
        { place: "router1" },
      ),
      added(
        "curl -sS http://192.168.10.1",
        "an answer through the router",
        [FROM_NGINX_TEST],
        FROM_CLIENT,
      ),
      added(
        "kubectl delete bgppeer,bfdprofile,bgpadvertisement,ipaddresspool --all -n metallb-system",
        "back to the complete example",
        [
          /^bfdprofile\.metallb\.io "fast-failover" deleted/m,
          /^ipaddresspool\.metallb\.io "advanced-pool" deleted/m,
        ],
        ONCE,
      ),
      added(
        `kubectl apply -f ${CONFIG}`,
        "back to the complete example",
        [/^ipaddresspool\.metallb\.io\/production-public-ips created$/m],
        ONCE,
      ),
    ],
  },
  {
    title: "LoadBalancer service stuck in pending",
    text: "The commands to run when an address does not come.",
    steps: [
      asWritten(GET_PODS, PODS_RUN),
      asWritten("kubectl describe ipaddresspool -n metallb-system", [
        /^Name:\s+production-public-ips$/m,
        /^\s+assignedIPv4:\s+1$/im,
      ]),
      asWritten(LOGS_OF_CONTROLLER, [
        new RegExp(LOG_LINE, "m"),
        /"default\/nginx-test".*192\.168\.1\.240|192\.168\.1\.240.*"default\/nginx-test"/,
      ]),
    ],
  },
  {
    title: "Cannot reach service external IP",
    text: "What the speakers said last.",
    steps: [asWritten(LOGS_OF_SPEAKER, [new RegExp(LOG_LINE, "m"), /192\.168\.1\.240/])],
  },
  {
    title: "BGP issues",
    text:
      "The line is in the log of each speaker, with the peer's name. With a selector `kubectl logs` shows " +
      "the last ten lines of each Pod; when the sessions came up long ago, `--tail=-1` finds them.",
    steps: [
      asWritten(`${LOGS_OF_SPEAKER} | grep "BGP session established"`, [
        /"peer":"router1".*"BGP session established"/,
        /"peer":"router2".*"BGP session established"/,
      ]),
      asWritten("kubectl describe bgppeer -n metallb-system", [
        /^Name:\s+router1$/m,
        /^\s+Peer Address:\s+192\.168\.0\.1$/m,
        /^\s+Peer ASN:\s+64501$/m,
      ]),
    ],
  },
  {
    title: "Validating Configuration",
    text: "Pods, events, logs and addresses.",
    steps: [
      asWritten(GET_PODS, PODS_RUN),
      asWritten("kubectl get events -n metallb-system", [
        /^LAST SEEN\s+TYPE\s+REASON\s+OBJECT\s+MESSAGE$/m,
        /Normal\s+SuccessfulCreate\s+daemonset\/speaker\s+Created pod: speaker-/,
        /Normal\s+LeaderElection\s+lease\/metallb-controller\s+controller-\S+ became leader/,
      ]),
      asWritten(LOGS_OF_CONTROLLER, [new RegExp(LOG_LINE, "m")]),
      asWritten(LOGS_OF_SPEAKER, [new RegExp(LOG_LINE, "m")]),
      asWritten("kubectl get services --all-namespaces -o wide | grep LoadBalancer", [
        /^default\s+nginx-test\s+LoadBalancer\s+\S+\s+192\.168\.1\.240\s+80:\d+\/TCP\s+\S+\s+app=nginx-test$/m,
      ]),
    ],
  },
  {
    title: "Debugging Commands",
    text:
      "`<external-ip>` is 192.168.1.240. A ping gets no answer where kube-proxy does not put the address " +
      "on a network interface, which only its mode `ipvs` does: the owner answers ARP, and forwards what " +
      "the Service has ports for.",
    steps: [
      asWritten(
        "arp -a",
        [new RegExp(`\\(192\\.168\\.1\\.240\\) at ${MAC} \\[ether\\] on eth1`)],
        FROM_CLIENT,
      ),
      replaced(
        "show ip bgp summary",
        "vtysh -c 'show ip bgp summary'",
        "a Cisco command; FRR takes it in vtysh",
        [/^\*\S*192\.168\.1\.11\)?\s+4\s+64500(?:\s+\d+){5}\s+\d\S+\s+1\s/m],
        { place: "router1" },
      ),
      replaced(
        "show ip bgp neighbors",
        "vtysh -c 'show ip bgp neighbors'",
        "a Cisco command; FRR takes it in vtysh",
        [
          /^BGP neighbor is \*192\.168\.1\.11, remote AS 64500, local AS 64501, external link$/m,
          /BGP version 4, remote router ID 192\.168\.0\.100,/,
          /BGP state = Established,/,
          /Hold time is 120 seconds,/,
        ],
        { place: "router1" },
      ),
      added(
        "birdc show protocols",
        "the same for the router on BIRD",
        [/^worker\d+\s+BGP\s.*Established/m],
        { place: "router2" },
      ),
      replaced(
        "ping <external-ip>",
        "ping -c 3 192.168.1.240",
        "without -c it never ends",
        [/3 packets transmitted, 0 received/],
        { place: "client", exit: 1 },
      ),
      replaced(
        "curl http://<external-ip>",
        "curl http://192.168.1.240",
        "the address is filled in",
        [FROM_NGINX_TEST],
        FROM_CLIENT,
      ),
      added(
        "kubectl exec -n metallb-system -l app=metallb,component=speaker -- mirror-status",
        "its next command as it is written does not run, as `kubectl exec` has no -l",
        [/unknown shorthand flag: 'l' in -l/],
        { exit: 1 },
      ),
      replaced(
        "kubectl exec -n metallb-system -l app=metallb,component=speaker -- mirror-status",
        "kubectl exec -n metallb-system ds/speaker -- mirror-status",
        "`kubectl exec` has no -l; a Pod is named, or what has Pods",
        [
          /^Node worker-[12]: ready$/m,
          /default\/nginx-test\s+192\.168\.1\.240\s+production-public-ips/,
          /^\s+router[12]\s+192\.168\.0\.[12]\s+-\s+64501\s+Established\s/m,
        ],
      ),
      added(
        "kubectl exec -n metallb-system ds/speaker -c frr -- vtysh -c 'show bgp summary'",
        "the node's end of the session, in the FRR beside the speaker",
        [/^IPv4 Unicast Summary/m, /^(?:\S+\()?192\.168\.0\.[12]\)?\s+4\s+64501\s/m],
      ),
    ],
  },
];

/** All steps in order. */
export const STEPS: readonly Step[] = SECTIONS.flatMap(({ steps }) => steps);
