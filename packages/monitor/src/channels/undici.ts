// What is used of undici, as an ES module of our own: in a bundle that is split, `import()` of a CommonJS package has no named exports.
export { EnvHttpProxyAgent, Pool, request } from "undici";
