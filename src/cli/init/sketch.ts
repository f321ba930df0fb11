/** What one source says of a service. Everything carries where it comes from, for the comments of the file. */

/** A value for a key of headrace.yaml. */
export interface Finding {
  /** Below the service, `scale.min`; of the whole file with a slash before it, `/listen.port`. */
  readonly key: string;
  /** As a user would write it. */
  readonly value: string;
  /** `Procfile:1, --timeout 30`. */
  readonly from: string;
}

export interface Variable {
  readonly name: string;
  readonly value: string;
  /** Its value is not written down: it comes from the environment, when an instance starts. */
  readonly secret: boolean;
  readonly from: string;
}

/** What is served, as its source names it. */
export interface Target {
  /** `shop.main` or `shop/main.py`. */
  readonly place: string;
  /** Empty: not said. */
  readonly attribute: string;
  readonly factory: boolean;
  readonly function: boolean;
}

export interface Sketch {
  /** Name that the source gives to the service; empty for none. */
  readonly name: string;
  /** Folder that names are relative to, relative to the root; empty for the root. */
  readonly folder: string;
  /** `Procfile:1`. */
  readonly from: string;
  readonly target: Target | null;
  readonly findings: readonly Finding[];
  readonly variables: readonly Variable[];
  /** What it says that headrace.yaml cannot, a sentence each. */
  readonly left: readonly string[];
}

/** A sketch in the making. */
export class Draft {
  readonly findings: Finding[] = [];
  readonly variables: Variable[] = [];
  readonly left: string[] = [];
  target: Target | null = null;

  /** A later word of the same source is stronger. */
  set(key: string, value: string, from: string): void {
    const known = this.findings.findIndex((finding) => finding.key === key);
    if (known === -1) this.findings.push({ key, value, from });
    else this.findings[known] = { key, value, from };
  }

  /** @param value as it is, or with references as headrace.yaml writes them when `references` says so */
  variable(name: string, value: string, from: string, references = false): void {
    const text = references ? value : value.replaceAll("$", "$$$$");
    this.variables.push({ name, value: text, secret: isSecret(name), from });
  }

  leave(sentence: string): void {
    if (!this.left.includes(sentence)) this.left.push(sentence);
  }

  sketch(about: Pick<Sketch, "name" | "folder" | "from">): Sketch {
    const { target, findings, variables, left } = this;
    return { ...about, target, findings, variables, left };
  }
}

/** Names of variables whose values do not belong into a file that is checked in. */
function isSecret(name: string): boolean {
  return /(^|_)(SECRET|PASSWORD|PASSWD|TOKEN|APIKEY|API_KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIALS|DSN|DATABASE_URL)(_|$)/.test(
    name.toUpperCase(),
  );
}
