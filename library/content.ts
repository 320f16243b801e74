/** The content of a node; text is written as UTF-8. */
export type Content = string | Uint8Array;

export const toBuffer = (content: Content): Buffer =>
  typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.buffer, content.byteOffset, content.length);
