// What is used of prom-client, as an ES module of our own: in a bundle that is split, `import()` of a CommonJS package has no named exports.
export { Counter, Gauge, Registry } from "prom-client";
