// The table of the machine with nothing of Node behind it, so that a page in the browser may import it, too.
export { ACTIVE_STATES, PROCESSING_STATUS, TERMINAL_STATES, TRANSITIONS } from './wire.generated.js'
export type { Event, Row, State, Status } from './wire.generated.js'
