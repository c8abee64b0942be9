// The addresses that benchmarks give out and announce.

export const POOL = "10.64.0.0/16";

/** The n-th address of the pool, from 0. */
export function addressNumber(n: number): string {
  return `10.64.${Math.floor(n / 256)}.${n % 256}`;
}

export function prefixNumber(n: number): string {
  return `${addressNumber(n)}/32`;
}
