export function setUp(options: { allowed: boolean; debian?: string[] }): void;
export function ensureBuilt(): void;
export function packagesStale(root?: string): boolean;
