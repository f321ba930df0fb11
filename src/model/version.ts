/** The version of Headrace; package.json and python/headrace say the same, a test holds them together. */
export const VERSION = "0.1.0";
