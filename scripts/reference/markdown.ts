// Text as Markdown: tables, code, headings.

/** A table; cells may hold Markdown, but no line breaks. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll(/\s+/g, " ").trim();
}

/** Code within a line, whatever it holds. */
export function code(text: string): string {
  return text.includes("`") ? `\`\` ${text} \`\`` : `\`${text}\``;
}

/** A page: what stands between two blanks is separated by an empty line. */
export function page(title: string, source: string, blocks: readonly string[]): string {
  const note = `\`make reference\` makes this page from ${source}; what is changed here by hand is lost.`;
  return `${[`# ${title}`, note, ...blocks].join("\n\n")}\n`;
}
