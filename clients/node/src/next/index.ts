export { statusAnswer } from './status-answer.js'
export type { StatusAnswer, ToAnswer } from './status-answer.js'
export { statusStream } from './status-stream.js'
export type { StatusStreamOptions } from './status-stream.js'
