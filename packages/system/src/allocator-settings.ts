/**
 * Settings of glibc's allocator (mallopt(3)) for a service: memory that is free goes back to the kernel. Without them, an allocator that has once freed a
 * large block keeps up to twice its size at the end of each thread's heap, for the rest of the process. Other C libraries ignore them.
 */
const settings: Readonly<Record<string, string>> = {
	MALLOC_ARENA_MAX: "2",
	MALLOC_MMAP_THRESHOLD_: "131072",
	MALLOC_TRIM_THRESHOLD_: "131072",
};

/** An environment with the settings; those that a person chose stay. */
export function withAllocatorSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
	return { ...settings, ...env };
}

/** Whether a variable is one of the settings, with our value. A child with large buffers, such as git, runs without them. */
export function isAllocatorSetting(name: string, value: string): boolean {
	return settings[name] === value;
}
