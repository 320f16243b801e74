// Loaded before a command of a test: its machine's clock is wrong by SHIFT_MS.
const now = Date.now;
const shift = Number(process.env.SHIFT_MS);
Date.now = () => now() + shift;
