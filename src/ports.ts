// Ports that more than one program knows.

/** Where a program answers probes, and a speaker tells its state, unless told otherwise. */
export const HEALTH_PROBE_PORT = 17472;
