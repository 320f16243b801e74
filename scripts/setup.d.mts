export function setUp(options: { allowed: boolean; debian?: string[]; packagesOnly?: boolean }): void;
export function ensureBuilt(): void;
export function packagesStale(root?: string): boolean;
