/** Why a file cannot be read, without the call and the name that Node adds: whoever says this has named the file. */
export const unreadableReason = (error: Error): string => error.message.replace(/, \w+(?: '.*')?$/s, '');
