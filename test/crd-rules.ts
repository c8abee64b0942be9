// Every rule the schemas in crds/ hold a single object to, with the least object that keeps it and
// one that breaks it. Used by crds.test.ts (src/config must agree) and cluster/crds.test.ts (the
// API server must refuse).

export type Kind =
  | "BFDProfile"
  | "BGPAdvertisement"
  | "BGPPeer"
  | "Community"
  | "IPAddressPool"
  | "L2Advertisement";

export type Rule = {
  readonly kind: Kind;
  /** Ends the sentence "refuses …". */
  readonly what: string;
  readonly name?: string;
  readonly valid: object;
  readonly invalid: object;
  /** What the API server's message must hold: the field first, the value seen, the value wanted. */
  readonly says: readonly string[];
  /** Why src/config takes the invalid object, if it does. */
  readonly parserAccepts?: string;
};

const POOL = { addresses: ["192.0.2.0/24"] };
const PEER = { myASN: 64500, peerASN: 64501, peerAddress: "192.0.2.1" };
const UNNUMBERED = { myASN: 64500, dynamicASN: "external", interface: "eth1" };

const range = (what: string, valid: string, invalid: string, wanted: string): Rule => ({
  kind: "IPAddressPool",
  what: `an address entry that ${what}`,
  valid: { addresses: [valid] },
  invalid: { addresses: [invalid] },
  says: ["spec.addresses[0]: ", `Cannot parse address range "${invalid}": ${wanted}`],
});

const peer = (
  what: string,
  valid: object,
  invalid: object,
  says: readonly string[],
  parserAccepts?: string,
): Rule => ({
  kind: "BGPPeer",
  what,
  valid: { ...PEER, ...valid },
  invalid: { ...PEER, ...invalid },
  says,
  ...(parserAccepts && { parserAccepts }),
});

const integer = (
  kind: Kind,
  base: object,
  field: string,
  [min, max]: readonly [number, number],
): readonly Rule[] => [
  {
    kind,
    what: `${field} below ${min}`,
    valid: { ...base, [field]: min },
    invalid: { ...base, [field]: min - 1 },
    says: [`spec.${field}: `, `${min - 1}`, `greater than or equal to ${min}`],
  },
  {
    kind,
    what: `${field} above ${max}`,
    valid: { ...base, [field]: max },
    invalid: { ...base, [field]: max + 1 },
    says: [`spec.${field}: `, `${max + 1}`, `less than or equal to ${max}`],
  },
];

const interval = (field: string): readonly Rule[] =>
  (
    [
      ["below 10", 10, 9],
      ["above 60000", 60_000, 60_001],
      ["below 10ms", "10ms", "9ms"],
      ["above 60s", "60s", "60.001s"],
      ["that is no whole number of milliseconds", "1.5s", "10.5ms"],
      ["without a unit", "1m", "300"],
      ["that is no duration", "300ms", "fast"],
      ["that is negative", "+300ms", "-300ms"],
    ] as const
  ).map(([what, valid, invalid]) => ({
    kind: "BFDProfile",
    what: `${field} ${what}`,
    valid: { [field]: valid },
    invalid: { [field]: invalid },
    says: [`spec.${field}: `, `Cannot use "${invalid}": want 10 to 60000 whole milliseconds`],
  }));

/** The rules of label selectors, in one list of one kind. */
const selectors = (kind: Kind, path: string, specOf: (list: readonly object[]) => object) =>
  (
    [
      [
        "an operator nobody knows",
        { matchExpressions: [{ key: "a", operator: "Exists" }] },
        { matchExpressions: [{ key: "a", operator: "Has" }] },
        [".matchExpressions[0].operator: ", '"Has"', '"In", "NotIn", "Exists", "DoesNotExist"'],
      ],
      [
        "operator In without values",
        { matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] },
        { matchExpressions: [{ key: "a", operator: "In" }] },
        [".matchExpressions[0].values: ", "operator In or NotIn without values: want at least one"],
      ],
      [
        "operator NotIn with an empty list",
        { matchExpressions: [{ key: "a", operator: "NotIn", values: ["b"] }] },
        { matchExpressions: [{ key: "a", operator: "NotIn", values: [] }] },
        [".matchExpressions[0].values: ", "operator In or NotIn without values: want at least one"],
      ],
      [
        "operator Exists with values",
        { matchExpressions: [{ key: "a", operator: "DoesNotExist", values: [] }] },
        { matchExpressions: [{ key: "a", operator: "Exists", values: ["b"] }] },
        [".matchExpressions[0].values: ", "Exists or DoesNotExist with values: want none"],
      ],
      [
        "a key that is no label key",
        { matchExpressions: [{ key: "example.com/a", operator: "Exists" }] },
        { matchExpressions: [{ key: "a b", operator: "Exists" }] },
        [".matchExpressions[0].key: ", '"a b"'],
      ],
      [
        "an expression without a key",
        { matchExpressions: [{ key: "a", operator: "Exists" }] },
        { matchExpressions: [{ operator: "Exists" }] },
        [".matchExpressions[0].key: ", "Required"],
      ],
      [
        "a value that is no label value",
        { matchExpressions: [{ key: "a", operator: "In", values: ["", "b_c.d"] }] },
        { matchExpressions: [{ key: "a", operator: "In", values: ["b "] }] },
        [".matchExpressions[0].values[0]: ", '"b "'],
      ],
      [
        "a value twice in one expression",
        { matchExpressions: [{ key: "a", operator: "In", values: ["b", "c"] }] },
        { matchExpressions: [{ key: "a", operator: "In", values: ["b", "b"] }] },
        [".matchExpressions[0].values[1]: ", 'Duplicate value: "b"'],
      ],
      [
        "an expression twice in one selector",
        {
          matchExpressions: [
            { key: "a", operator: "Exists" },
            { key: "b", operator: "Exists" },
          ],
        },
        {
          matchExpressions: [
            { key: "a", operator: "Exists" },
            { key: "a", operator: "Exists" },
          ],
        },
        [".matchExpressions[1]: ", "Duplicate value"],
      ],
      [
        "a label that is no label key",
        { matchLabels: { "example.com/a": "b" } },
        { matchLabels: { "a b": "b" } },
        [".matchLabels: ", 'Cannot use label keys ["a b"]: want names of up to 63 letters'],
      ],
      [
        "a label with a value that is none",
        { matchLabels: { a: "" } },
        { matchLabels: { a: "-" } },
        [".matchLabels.a: ", '"-"'],
      ],
    ] as const
  )
    .map(
      ([what, valid, invalid, [field, ...says]]): Rule => ({
        kind,
        what: `${what} in ${path}`,
        valid: specOf([valid]),
        invalid: specOf([invalid]),
        says: [`spec.${path}[0]${field}`, ...says],
      }),
    )
    .concat({
      kind,
      what: `a selector twice in ${path}`,
      valid: specOf([{ matchLabels: { a: "b" } }, { matchLabels: { a: "c" } }]),
      invalid: specOf([{ matchLabels: { a: "b" } }, { matchLabels: { a: "b" } }]),
      says: [`spec.${path}[1]: `, 'Duplicate value: {"matchLabels":{"a":"b"}}'],
    });

const distinct = (kind: Kind, base: object, field: string): Rule => ({
  kind,
  what: `a text twice in ${field}`,
  valid: { ...base, [field]: ["64500:1", "64500:2"] },
  invalid: { ...base, [field]: ["64500:1", "64500:1"] },
  says: [`spec.${field}[1]: `, 'Duplicate value: "64500:1"'],
});

const text = (kind: Kind, base: object, field: string): Rule => ({
  kind,
  what: `a control character in ${field}`,
  valid: { ...base, [field]: ["a"] },
  invalid: { ...base, [field]: ["a\nb"] },
  says: [`spec.${field}[0]: `, '"a\\nb"'],
});

export const RULES: readonly Rule[] = [
  // IPAddressPool
  {
    kind: "IPAddressPool",
    what: "a pool without addresses",
    valid: POOL,
    invalid: {},
    says: ["spec.addresses: ", "Required"],
  },
  {
    kind: "IPAddressPool",
    what: "an empty list of addresses",
    valid: POOL,
    invalid: { addresses: [] },
    says: ["spec.addresses: ", "at least 1 items"],
  },
  range("is a lone address", "192.0.2.1/32", "192.0.2.1", 'want "address/length" or "first-last"'),
  range("is no address", "192.0.2.0/24", "192.0.2.256/24", 'want "address/length"'),
  range("has a length above 32", "192.0.2.0/32", "192.0.2.0/33", 'want "address/length"'),
  range("has leading zeros", "192.0.2.9/24", "192.0.02.0/24", 'want "address/length"'),
  range("begins with a blank", "2001:db8::/64", " 2001:db8::/64", 'want "address/length"'),
  range("is a range of prefixes", "192.0.2.1-192.0.2.9", "192.0.2.0/24-192.0.3.0", "want "),
  range("has two dashes", "192.0.2.1 - 192.0.2.9", "192.0.2.1-192.0.2.5-192.0.2.9", "want "),
  range("has no end", "2001:db8::1-2001:db8::2", "2001:db8::1-", "want "),
  range(
    "crosses families",
    "192.0.2.4-192.0.2.4",
    "192.0.2.4-2001:db8::1",
    "want start and end of one IP family",
  ),
  range(
    "is backwards",
    "192.0.2.9-192.0.2.10",
    "192.0.2.10 - 192.0.2.9",
    "start IP is after end IP, want the lower one first",
  ),
  {
    kind: "IPAddressPool",
    what: "an address entry twice",
    valid: { addresses: ["192.0.2.0/24", "198.51.100.0/24"] },
    invalid: { addresses: ["192.0.2.0/24", "192.0.2.0/24"] },
    says: ["spec.addresses[1]: ", 'Duplicate value: "192.0.2.0/24"'],
  },
  {
    kind: "IPAddressPool",
    what: "autoAssign that is a text",
    valid: { ...POOL, autoAssign: false },
    invalid: { ...POOL, autoAssign: "no" },
    says: ["spec.autoAssign: ", '"string"', "must be of type boolean"],
  },
  {
    kind: "IPAddressPool",
    what: "avoidBuggyIPs that is a number",
    valid: { ...POOL, avoidBuggyIPs: true },
    invalid: { ...POOL, avoidBuggyIPs: 1 },
    says: ["spec.avoidBuggyIPs: ", "must be of type boolean"],
  },
  {
    kind: "IPAddressPool",
    what: "a priority above 2147483647",
    valid: { ...POOL, serviceAllocation: { priority: -1 } },
    invalid: { ...POOL, serviceAllocation: { priority: 2_147_483_648 } },
    says: ["spec.serviceAllocation.priority: ", "2147483648", "less than or equal to 2147483647"],
  },
  {
    kind: "IPAddressPool",
    what: "a namespace twice",
    valid: { ...POOL, serviceAllocation: { namespaces: ["a", "b"] } },
    invalid: { ...POOL, serviceAllocation: { namespaces: ["a", "a"] } },
    says: ["spec.serviceAllocation.namespaces[1]: ", 'Duplicate value: "a"'],
  },
  ...selectors("IPAddressPool", "serviceAllocation.namespaceSelectors", (list) => ({
    ...POOL,
    serviceAllocation: { namespaceSelectors: list },
  })),
  ...selectors("IPAddressPool", "serviceAllocation.serviceSelectors", (list) => ({
    ...POOL,
    serviceAllocation: { serviceSelectors: list },
  })),

  // L2Advertisement
  distinct("L2Advertisement", {}, "ipAddressPools"),
  text("L2Advertisement", {}, "ipAddressPools"),
  text("L2Advertisement", {}, "interfaces"),
  ...selectors("L2Advertisement", "ipAddressPoolSelectors", (list) => ({
    ipAddressPoolSelectors: list,
  })),
  ...selectors("L2Advertisement", "nodeSelectors", (list) => ({ nodeSelectors: list })),
  ...selectors("L2Advertisement", "serviceSelectors", (list) => ({ serviceSelectors: list })),
  ...(
    [
      ["a weight of 0", { weight: 0, preference: {} }, ["weight: ", "0", "equal to 1"]],
      ["a weight of 101", { weight: 101, preference: {} }, ["weight: ", "101", "equal to 100"]],
      ["a preference without weight", { preference: {} }, ["weight: ", "Required"]],
      ["a weight without preference", { weight: 1 }, ["preference: ", "Required"]],
      [
        "a preference that is no selector",
        { weight: 1, preference: { matchExpressions: [{ key: "a", operator: "In" }] } },
        ["preference.matchExpressions[0].values: ", "want at least one"],
      ],
    ] as const
  ).map(
    ([what, entry, [field, ...says]]): Rule => ({
      kind: "L2Advertisement",
      what,
      valid: { preferredNodeSelectors: [{ weight: 100, preference: {} }] },
      invalid: { preferredNodeSelectors: [entry] },
      says: [`spec.preferredNodeSelectors[0].${field}`, ...says],
    }),
  ),
  ...(
    [
      ["without a unit", "0", "30"],
      ["that is no duration", "never", "always"],
      ["with never in capitals", "1m30s", "Never"],
      ["that is negative", "+30s", "-30s"],
      ["that is empty", "0s", ""],
    ] as const
  ).map(
    ([what, valid, invalid]): Rule => ({
      kind: "L2Advertisement",
      what: `a failbackDelay ${what}`,
      valid: { failbackDelay: valid },
      invalid: { failbackDelay: invalid },
      says: [
        "spec.failbackDelay: ",
        `Cannot use "${invalid}": want a duration such as 30s or 5m, or never`,
      ],
      ...(invalid === "" && { parserAccepts: "an empty text counts as absent" }),
    }),
  ),

  // BGPAdvertisement
  ...integer("BGPAdvertisement", {}, "aggregationLength", [1, 32]),
  ...integer("BGPAdvertisement", {}, "aggregationLengthV6", [1, 128]),
  ...integer("BGPAdvertisement", {}, "localPref", [0, 4_294_967_295]),
  distinct("BGPAdvertisement", {}, "communities"),
  distinct("BGPAdvertisement", {}, "ipAddressPools"),
  distinct("BGPAdvertisement", {}, "peers"),
  text("BGPAdvertisement", {}, "communities"),
  text("BGPAdvertisement", {}, "ipAddressPools"),
  text("BGPAdvertisement", {}, "peers"),
  {
    kind: "BGPAdvertisement",
    what: "a community above 65535",
    valid: { communities: ["65535:0", "any-alias"] },
    invalid: { communities: ["65536:0"] },
    says: ["spec.communities[0]: ", '"65536:0": want two numbers from 0 to 65535'],
  },
  {
    kind: "BGPAdvertisement",
    what: "a large community above 4294967295",
    valid: { communities: ["large:4294967295:0:1"] },
    invalid: { communities: ["large:1:2:4294967296"] },
    says: [
      "spec.communities[0]: ",
      '"large:1:2:4294967296": want three numbers from 0 to 4294967295',
    ],
  },
  {
    kind: "BGPAdvertisement",
    what: "serviceSelectors with an IPv4 length",
    valid: { serviceSelectors: [{}], aggregationLength: 32 },
    invalid: { serviceSelectors: [{}], aggregationLength: 24 },
    says: [
      "spec.aggregationLength: ",
      "Cannot use 24: serviceSelectors and aggregationLength are mutually exclusive, want 32",
    ],
  },
  {
    kind: "BGPAdvertisement",
    what: "serviceSelectors with an IPv6 length",
    valid: { serviceSelectors: [], aggregationLengthV6: 64 },
    invalid: { serviceSelectors: [{}], aggregationLengthV6: 64 },
    says: [
      "spec.aggregationLengthV6: ",
      "Cannot use 64: serviceSelectors and aggregationLength are mutually exclusive, want 128",
    ],
  },
  ...selectors("BGPAdvertisement", "ipAddressPoolSelectors", (list) => ({
    ipAddressPoolSelectors: list,
  })),
  ...selectors("BGPAdvertisement", "nodeSelectors", (list) => ({ nodeSelectors: list })),
  ...selectors("BGPAdvertisement", "serviceSelectors", (list) => ({ serviceSelectors: list })),

  // BGPPeer
  {
    kind: "BGPPeer",
    what: "a peer without myASN",
    valid: PEER,
    invalid: { peerASN: 64501, peerAddress: "192.0.2.1" },
    says: ["spec.myASN: ", "Required"],
  },
  ...integer("BGPPeer", PEER, "myASN", [1, 4_294_967_295]),
  ...integer(
    "BGPPeer",
    { myASN: 1, peerAddress: "192.0.2.1" },
    "peerASN",
    [0, 4_294_967_295],
  ).slice(1),
  ...integer("BGPPeer", PEER, "localASN", [1, 4_294_967_295]),
  ...integer("BGPPeer", PEER, "peerPort", [0, 16_384]),
  peer("neither peerASN nor dynamicASN", { peerASN: 0, dynamicASN: "external" }, { peerASN: 0 }, [
    "spec.peerASN: ",
    "missing peerASN and dynamicASN, want one of them",
  ]),
  peer("both peerASN and dynamicASN", {}, { dynamicASN: "external" }, [
    "spec.dynamicASN: ",
    'peerASN 64501 and dynamicASN "external" specified, want one of them',
  ]),
  peer(
    "a dynamicASN nobody knows",
    { peerASN: 0, dynamicASN: "internal" },
    { peerASN: 0, dynamicASN: "any" },
    ["spec.dynamicASN: ", '"any"', '"internal", "external"'],
  ),
  peer(
    "ebgpMultiHop with an internal peer",
    { ebgpMultiHop: true },
    { peerASN: 64500, ebgpMultiHop: true },
    ["spec.ebgpMultiHop: ", "peerASN equals myASN 64500, want different ones"],
  ),
  peer("localASN with an internal peer", { localASN: 64502 }, { peerASN: 64500, localASN: 64502 }, [
    "spec.localASN: ",
    "Cannot use 64502 on an internal session: want an external one",
  ]),
  peer(
    "localASN with dynamicASN internal",
    { peerASN: 64500, localASN: 64500 },
    { peerASN: 0, dynamicASN: "internal", localASN: 64502 },
    ["spec.localASN: ", "Cannot use 64502 on an internal session: want an external one"],
  ),
  peer("localASN equal to peerASN", { localASN: 64500 }, { localASN: 64501 }, [
    "spec.localASN: ",
    "Cannot use 64501: want another number than peerASN",
  ]),
  peer(
    "neither peerAddress nor interface",
    { peerAddress: "", interface: "eth1" },
    { peerAddress: "" },
    ["spec.peerAddress: ", "peerAddress and interface not specified, want one of them"],
  ),
  peer("both peerAddress and interface", { interface: "" }, { interface: "eth1" }, [
    "spec.interface: ",
    'peerAddress "192.0.2.1" and interface "eth1" specified, want one of them',
  ]),
  peer(
    "a peerAddress that is none",
    { peerAddress: "2001:db8::1" },
    { peerAddress: "192.0.2.400" },
    [
      "spec.peerAddress: ",
      'Cannot parse "192.0.2.400": invalid BGPPeer address, want an IPv4 or IPv6 address',
    ],
  ),
  peer("a sourceAddress that is none", { sourceAddress: "" }, { sourceAddress: "eth1" }, [
    "spec.sourceAddress: ",
    'Cannot parse "eth1": invalid source address, want an IPv4 or IPv6 address',
  ]),
  peer(
    "a sourceAddress of the other family",
    { sourceAddress: "192.0.2.2" },
    { sourceAddress: "2001:db8::2" },
    ["spec.sourceAddress: ", 'Cannot reach "192.0.2.1" from "2001:db8::2": want addresses of one'],
  ),
  peer("a routerID that is no address", { routerID: "" }, { routerID: "node" }, [
    "spec.routerID: ",
    'Cannot use "node": invalid router ID, want an IPv4 address',
  ]),
  peer("an IPv6 routerID", { routerID: "192.0.2.2" }, { routerID: "2001:db8::2" }, [
    "spec.routerID: ",
    'Cannot use "2001:db8::2": invalid router ID, want an IPv4 address',
  ]),
  peer("routerID 0.0.0.0", { routerID: "0.0.0.1" }, { routerID: "0.0.0.0" }, [
    "spec.routerID: ",
    'Cannot use "0.0.0.0": invalid router ID, want an IPv4 address other than 0.0.0.0',
  ]),
  ...(["interface", "vrf"] as const).flatMap((field) =>
    (
      [
        ["with a blank", "eth1.100", "eth 1", '"eth 1"'],
        ["with a slash", "Eth-1_2", "eth/1", '"eth/1"'],
        ["that looks like an address", "192.0.2.x", "192.0.2.9", '"192.0.2.9": want the name of a'],
        ["that means a folder", "...", "..", '"..": want the name of a network device'],
        ["of 16 characters", "x234567890abcde", "x234567890abcdef", "more than 15"],
      ] as const
    ).map(
      ([what, valid, invalid, says]): Rule => ({
        kind: "BGPPeer",
        what: `${field} ${what}`,
        valid: { ...UNNUMBERED, [field]: valid },
        invalid: { ...UNNUMBERED, [field]: invalid },
        says: [`spec.${field}: `, says],
      }),
    ),
  ),
  ...(
    [
      ["that is no duration", "90s", "90", "from 3s to 65535s"],
      ["that is empty", "1m30s", "", "from 3s to 65535s"],
      ["that is negative", "0s", "-90s", "from 3s to 65535s"],
      ["of 2 seconds", "3s", "2.9s", "from 3s to 65535s"],
      ["of a day", "65535s", "24h", "from 3s to 65535s"],
    ] as const
  ).map(([what, valid, invalid, wanted]) =>
    peer(
      `a holdTime ${what}`,
      { holdTime: valid },
      { holdTime: invalid },
      ["spec.holdTime: ", `Cannot use "${invalid}": invalid peer timers, want 0s or`, wanted],
      ...(invalid === "" ? ["an empty text counts as absent; MetalLB cannot decode it"] : []),
    ),
  ),
  peer("a keepaliveTime that is no duration", { keepaliveTime: "30s" }, { keepaliveTime: "30" }, [
    "spec.keepaliveTime: ",
    'Cannot use "30": invalid peer timers, want a duration such as 30s',
  ]),
  peer(
    "a keepaliveTime that makes a hold time below 3s",
    { keepaliveTime: "1s" },
    { keepaliveTime: "900ms" },
    ["spec.keepaliveTime: ", 'Cannot use "900ms": invalid peer timers, want three times it'],
  ),
  peer(
    "a keepaliveTime above holdTime",
    { holdTime: "90s", keepaliveTime: "90s" },
    { holdTime: "90s", keepaliveTime: "91s" },
    [
      "spec.keepaliveTime: ",
      'Cannot use "91s": invalid peer timers, want 0s, or from 1s to',
      '"90s"',
    ],
  ),
  peer(
    "a keepaliveTime that would be cut down to 0",
    { holdTime: "500ms", keepaliveTime: "500ms" },
    { holdTime: "90s", keepaliveTime: "500ms" },
    ["spec.keepaliveTime: ", 'Cannot use "500ms": invalid peer timers, want 0s, or from 1s to'],
  ),
  ...(
    [
      ["that is no duration", "10s", "10"],
      ["of 0", "1s", "0s"],
      ["above 65535s", "65535s", "65536s"],
      ["that is no whole number of seconds", "1m30s", "1500ms"],
      ["with a rest of a microsecond", "2000000us", "2000001us"],
    ] as const
  ).map(([what, valid, invalid]) =>
    peer(`a connectTime ${what}`, { connectTime: valid }, { connectTime: invalid }, [
      "spec.connectTime: ",
      `Cannot use "${invalid}": want 1 to 65535 whole seconds`,
    ]),
  ),
  peer("a password with a blank", { password: "corréct-horse" }, { password: "correct horse" }, [
    "spec.password: ",
    "Cannot use the password: want up to 80 octets without blanks",
  ]),
  peer("a password with a line break", { password: "" }, { password: "correct\n" }, [
    "spec.password: ",
    "Cannot use the password: want up to 80 octets without blanks",
  ]),
  peer("a password of 81 characters", { password: "x".repeat(80) }, { password: "x".repeat(81) }, [
    "spec.password: ",
    "more than 80",
  ]),
  peer("a password of 82 octets", { password: "é".repeat(40) }, { password: "é".repeat(41) }, [
    "spec.password: ",
    "Cannot use the password: want up to 80 octets",
  ]),
  peer(
    "both password and passwordSecret",
    { password: "a", passwordSecret: { name: "" } },
    { password: "a", passwordSecret: { name: "b" } },
    ["spec.passwordSecret.name: ", 'password and passwordSecret "b" specified, want one of them'],
  ),
  peer("a control character in bfdProfile", { bfdProfile: "fast" }, { bfdProfile: "a\nb" }, [
    "spec.bfdProfile: ",
    '"a\\nb"',
  ]),
  ...selectors("BGPPeer", "nodeSelectors", (list) => ({ ...PEER, nodeSelectors: list })),

  // BFDProfile
  ...interval("receiveInterval"),
  ...interval("transmitInterval"),
  ...interval("echoInterval"),
  ...integer("BFDProfile", {}, "detectMultiplier", [2, 255]),
  ...integer("BFDProfile", {}, "minimumTtl", [1, 254]),
  {
    kind: "BFDProfile",
    what: "a name FRR cannot take",
    name: "x".repeat(64),
    valid: {},
    invalid: {},
    says: ["metadata.name of 64 characters: want up to 63"],
  },

  // Community
  ...(
    [
      ["an alias without a name", { value: "1:2" }, ["name: ", "Required"]],
      ["an alias without a value", { name: "a" }, ["value: ", "Required"]],
      ["an empty name", { name: "", value: "1:2" }, ["name: ", '""', "at least 1"]],
      ["a name with a line break", { name: "a\nb", value: "1:2" }, ["name: ", '"a\\nb"']],
      ["a value of one part", { name: "a", value: "1" }, ["value: ", 'community "1": want "A:B"']],
      ["a value of three parts", { name: "a", value: "1:2:3" }, ["value: ", '"1:2:3": want "A:B"']],
      ["a number above 65535", { name: "a", value: "1:65536" }, ["value: ", '"1:65536": want']],
      [
        "a wrong marker",
        { name: "a", value: "larg:1:2:3" },
        ["value: ", '"larg:1:2:3": want', '"large:A:B:C"'],
      ],
      [
        "a large number above 4294967295",
        { name: "a", value: "large:1:2:4294967296" },
        ["value: ", '"large:1:2:4294967296": want', "0 to 4294967295"],
      ],
      ["a sign", { name: "a", value: "+1:2" }, ["value: ", '"+1:2": want "A:B"']],
    ] as const
  ).map(
    ([what, entry, [field, ...says]]): Rule => ({
      kind: "Community",
      what,
      valid: {
        communities: [
          { name: "a", value: "65535:065281" },
          { name: "b", value: "large:1:2:4294967295" },
        ],
      },
      invalid: { communities: [entry] },
      says: [`spec.communities[0].${field}`, ...says],
    }),
  ),
  {
    kind: "Community",
    what: "a name twice",
    valid: {
      communities: [
        { name: "a", value: "1:2" },
        { name: "b", value: "1:2" },
      ],
    },
    invalid: {
      communities: [
        { name: "a", value: "1:2" },
        { name: "a", value: "1:3" },
      ],
    },
    says: ["spec.communities[1]: ", 'Duplicate value: {"name":"a"}'],
  },
];

/** The object of a rule; BGPPeers as v1beta2. */
export function objectOf(rule: Rule, which: "valid" | "invalid") {
  return {
    apiVersion: rule.kind === "BGPPeer" ? "metallb.io/v1beta2" : "metallb.io/v1beta1",
    kind: rule.kind,
    metadata: {
      namespace: "metallb-system",
      name: which === "invalid" ? (rule.name ?? "some") : (rule.name?.slice(1) ?? "some"),
    },
    spec: rule[which],
  };
}
