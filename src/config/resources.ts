// The objects as the API server sends them: shapes only, no rules. Every field the CRDs leave
// optional is optional here and nowhere else. In step with crds/ (test/crds.test.ts).

export type ObjectMeta = {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  /** RFC 3339; the older of two objects in conflict wins. */
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly labels?: Labels;
  readonly annotations?: Readonly<Record<string, string>>;
};

export type Labels = Readonly<Record<string, string>>;

export type LabelSelectorResource = {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
};

type Resource<Kind extends string, Body> = {
  readonly apiVersion?: string;
  readonly kind?: Kind;
  readonly metadata: ObjectMeta;
} & Body;

export type IPAddressPoolResource = Resource<
  "IPAddressPool",
  {
    readonly spec: {
      readonly addresses: readonly string[];
      readonly autoAssign?: boolean;
      readonly avoidBuggyIPs?: boolean;
      readonly serviceAllocation?: {
        readonly priority?: number;
        readonly namespaces?: readonly string[];
        readonly namespaceSelectors?: readonly LabelSelectorResource[];
        readonly serviceSelectors?: readonly LabelSelectorResource[];
      };
    };
    readonly status?: {
      /** Up to 2^63-1: read as bigint when above 2^53. */
      readonly assignedIPv4?: number | bigint;
      readonly assignedIPv6?: number | bigint;
      readonly availableIPv4?: number | bigint;
      readonly availableIPv6?: number | bigint;
    };
  }
>;

export type L2AdvertisementResource = Resource<
  "L2Advertisement",
  {
    readonly spec?: {
      readonly ipAddressPools?: readonly string[];
      readonly ipAddressPoolSelectors?: readonly LabelSelectorResource[];
      readonly nodeSelectors?: readonly LabelSelectorResource[];
      readonly serviceSelectors?: readonly LabelSelectorResource[];
      readonly interfaces?: readonly string[];
      readonly preferredNodeSelectors?: readonly {
        readonly weight: number;
        readonly preference: LabelSelectorResource;
      }[];
      readonly failbackDelay?: string;
    };
  }
>;

export type BGPAdvertisementResource = Resource<
  "BGPAdvertisement",
  {
    readonly spec?: {
      readonly aggregationLength?: number;
      readonly aggregationLengthV6?: number;
      readonly localPref?: number;
      readonly communities?: readonly string[];
      readonly ipAddressPools?: readonly string[];
      readonly ipAddressPoolSelectors?: readonly LabelSelectorResource[];
      readonly nodeSelectors?: readonly LabelSelectorResource[];
      readonly serviceSelectors?: readonly LabelSelectorResource[];
      readonly peers?: readonly string[];
    };
  }
>;

export type BGPPeerResource = Resource<
  "BGPPeer",
  {
    readonly spec?: {
      readonly myASN?: number;
      readonly peerASN?: number;
      readonly localASN?: number;
      readonly dynamicASN?: string;
      readonly peerAddress?: string;
      readonly interface?: string;
      readonly sourceAddress?: string;
      readonly peerPort?: number;
      readonly holdTime?: string;
      readonly keepaliveTime?: string;
      readonly connectTime?: string;
      readonly routerID?: string;
      readonly nodeSelectors?: readonly LabelSelectorResource[];
      readonly password?: string;
      readonly passwordSecret?: { readonly name?: string; readonly namespace?: string };
      readonly bfdProfile?: string;
      readonly enableGracefulRestart?: boolean;
      readonly ebgpMultiHop?: boolean;
      readonly vrf?: string;
      readonly disableMP?: boolean;
      readonly dualStackAddressFamily?: boolean;
    };
  }
>;

/** A BFD interval: milliseconds as a number, or duration text such as "300ms". */
export type BfdInterval = number | string;

export type BFDProfileResource = Resource<
  "BFDProfile",
  {
    readonly spec?: {
      readonly receiveInterval?: BfdInterval;
      readonly transmitInterval?: BfdInterval;
      readonly echoInterval?: BfdInterval;
      readonly detectMultiplier?: number;
      readonly echoMode?: boolean;
      readonly passiveMode?: boolean;
      readonly minimumTtl?: number;
    };
  }
>;

export type CommunityResource = Resource<
  "Community",
  {
    readonly spec?: {
      readonly communities?: readonly { readonly name?: string; readonly value?: string }[];
    };
  }
>;

export type NamespaceResource = Resource<"Namespace", object>;

export type SecretResource = Resource<
  "Secret",
  {
    readonly type?: string;
    /** Values are base64. */
    readonly data?: Readonly<Record<string, string>>;
  }
>;

export type ConfigMapResource = Resource<
  "ConfigMap",
  { readonly data?: Readonly<Record<string, string>> }
>;

export type NodeResource = Resource<
  "Node",
  {
    readonly status?: {
      readonly conditions?: readonly { readonly type: string; readonly status: string }[];
      readonly addresses?: readonly { readonly type: string; readonly address: string }[];
    };
  }
>;

export type PodResource = Resource<
  "Pod",
  {
    readonly spec?: { readonly nodeName?: string };
    readonly status?: {
      readonly phase?: string;
      readonly podIP?: string;
      readonly podIPs?: readonly { readonly ip?: string }[];
    };
  }
>;

export type Condition = {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
};

export type ServiceResource = Resource<
  "Service",
  {
    readonly spec: {
      readonly type?: string;
      readonly clusterIP?: string;
      readonly clusterIPs?: readonly string[];
      readonly ipFamilies?: readonly string[];
      readonly ipFamilyPolicy?: string;
      readonly loadBalancerIP?: string;
      readonly loadBalancerClass?: string;
      readonly externalTrafficPolicy?: string;
      readonly selector?: Labels;
      readonly ports?: readonly {
        readonly name?: string;
        readonly protocol?: string;
        readonly port: number;
      }[];
    };
    readonly status?: {
      readonly loadBalancer?: {
        readonly ingress?: readonly {
          readonly ip?: string;
          readonly hostname?: string;
          readonly ipMode?: string;
          readonly ports?: readonly object[];
        }[];
      };
      readonly conditions?: readonly Condition[];
    };
  }
>;

export type EndpointSliceResource = Resource<
  "EndpointSlice",
  {
    readonly addressType?: string;
    readonly endpoints?: readonly {
      readonly addresses?: readonly string[];
      readonly nodeName?: string;
      readonly conditions?: {
        readonly ready?: boolean;
        readonly serving?: boolean;
        readonly terminating?: boolean;
      };
    }[];
  }
>;
