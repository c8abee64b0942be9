// A Lease of coordination.k8s.io/v1: its shape, where it is, how its times are written. Pure.

export type LeaseSpec = {
  /** Absent or "": nobody holds it. */
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  /** How often it went to another holder. */
  readonly leaseTransitions?: number;
};

export type Lease = {
  readonly metadata: {
    readonly namespace: string;
    readonly name: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  readonly spec?: LeaseSpec;
};

/** The path of the collection. */
export function leaseFolder(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}

/** A metav1.MicroTime: RFC 3339 with six digits, of milliseconds since 1970. */
export function microTime(ms: number): string {
  const whole = Math.floor(ms);
  const micros = Math.floor((ms - whole) * 1000);
  const text = new Date(whole).toISOString();
  return `${text.slice(0, -1)}${String(micros).padStart(3, "0")}Z`;
}
