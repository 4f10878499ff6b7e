import { expect, test } from "@jest/globals";
import type { Repository } from "../process/repository.ts";
import { isHubDiskFull, localHub } from "./hub-disk.ts";

const repository = (url: string | undefined) =>
	({ root: "/w", config: new Map(url === undefined ? [] : [["remote.origin.url", url]]) }) as unknown as Repository;

test.each([
	["/srv/hub.git", "/srv/hub.git"],
	["../hub.git", "/hub.git"],
	["./a:b.git", "/w/a:b.git"],
	["file:///srv/hub%20x.git", "/srv/hub x.git"],
	["file://elsewhere/srv/hub.git", null],
	["https://hub/x.git", null],
	["git@hub:x.git", null],
	["[::1]:x.git", null],
	["ext::sh -c x", null],
	[undefined, null],
])("address of a hub: %j → directory %j", (url, directory) => {
	expect(localHub(repository(url), "origin")).toBe(directory);
	expect(isHubDiskFull(repository(url), "origin")).toBe(false);
});

test("hub disk: a file system that does not report its space → not known to be full", () => {
	expect(isHubDiskFull(repository("/proc"), "origin")).toBe(false);
});
