/** The longest time that a timer can take; a longer one would go off at once. */
export const longestTimerMs = 2 ** 31 - 1
