import htm from 'htm';
import { h, type VNode } from 'preact';

/**
 * Markup as a template of htm. A value in it becomes text or an attribute, never markup. Parts with types are called as
 * functions, `${stateLabel({ agent })}`, so that the compiler checks what they are given.
 */
export const html = htm.bind(h) as (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
