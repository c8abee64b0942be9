// The same text without passwords, for logs, errors and status. Pure.

/** Replaces what follows "password" in each line. */
export function redact(text: string): string {
  return text.replace(/\b(password|key-string)[ \t]+[^\n]*/g, "$1 <hidden>");
}
