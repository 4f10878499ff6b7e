// Re-exports the parts of prom-client that are used, as an ES module: in a split bundle, `import()` of a CommonJS package has no named exports.
export { Counter, Gauge, Registry } from "prom-client";
