import { HoldfastError, messageOf } from '#base';

/**
 * What a person or a script is told of an error: message, hint, and for what we did not foresee the stack.
 * As JSON it is one line: `{"message_type":"exit_error","code":…,"error_code":…,"message":…,"hint":…}`.
 */
export function presentError(error: unknown, { isJson }: { isJson: boolean }): string {
  const hint = error instanceof HoldfastError ? error.hint : undefined;
  if (isJson) {
    const line = {
      message_type: 'exit_error',
      code: exitCodeOf(error),
      error_code: error instanceof HoldfastError ? error.code : 'internal',
      message: messageOf(error),
      ...(hint ? { hint } : {}),
    };
    return `${JSON.stringify(line)}\n`;
  }
  if (!(error instanceof HoldfastError)) {
    const stack = error instanceof Error ? error.stack : undefined;
    return `holdfast: unexpected: ${stack ?? messageOf(error)}\n  hint: This is a bug. Please report it with these lines.\n`;
  }
  return `holdfast: ${error.message}\n${hint ? `  hint: ${hint}\n` : ''}`;
}

export function exitCodeOf(error: unknown): number {
  return error instanceof HoldfastError ? error.exitCode : 1;
}
