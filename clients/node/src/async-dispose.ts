/** `Symbol.asyncDispose`, or what stands for it in a runtime that has none yet (Node before 20.4). */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose)
