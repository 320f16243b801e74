// Loaded before a command of a test: the clock of its machine is wrong by SHIFT_MS.
const now = Date.now;
const shift = Number(process.env.SHIFT_MS);
Date.now = () => now() + shift;
