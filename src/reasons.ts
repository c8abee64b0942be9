// The shape of the tables of reasons: those of events and of conditions that a program writes. The
// program takes its reasons from them, and docs/reference/ is made of them.

/** By reason: on which object, and when. */
export type EventReasons = Readonly<
  Record<
    string,
    { readonly type: "Normal" | "Warning"; readonly object: string; readonly when: string }
  >
>;

/** By type of condition: on which object, and what each reason means. */
export type ConditionReasons = Readonly<
  Record<
    string,
    {
      readonly object: string;
      readonly meaning: string;
      readonly reasons: Readonly<Record<string, string>>;
    }
  >
>;
