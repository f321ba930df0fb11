/** Chance that can be repeated: the same seed, the same numbers, on every machine. */

export interface Random {
  /** 0 <= x < 1. */
  readonly next: () => number;
  /** Exponentially distributed with this mean. */
  readonly exponential: (mean: number) => number;
  /** Above zero, log-normally distributed. @param cv standard deviation over mean; 0: always the mean */
  readonly positive: (mean: number, cv: number) => number;
}

/** The generator sfc32, seeded by splitmix32. */
export function seededRandom(seed: number): Random {
  let [a, b, c] = seeds(seed);
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  // The first numbers still resemble the seed.
  for (let index = 0; index < 16; index += 1) next();
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return {
    next,
    exponential: (mean) => -mean * Math.log(1 - next()),
    positive(mean, cv) {
      if (cv === 0) return mean;
      const variance = Math.log(1 + cv * cv);
      return mean * Math.exp(Math.sqrt(variance) * normal() - variance / 2);
    },
  };
}

function seeds(seed: number): [number, number, number] {
  let state = seed | 0;
  const step = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
  return [step(), step(), step()];
}
