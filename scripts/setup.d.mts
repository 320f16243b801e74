export function setUp(options: { allowed: boolean; debian?: string[] }): void;
export function ensureBuilt(): void;
