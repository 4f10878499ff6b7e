// Re-exports the parts of undici that are used, as an ES module: in a split bundle, `import()` of a CommonJS package has no named exports.
export { EnvHttpProxyAgent, Pool, request } from "undici";
