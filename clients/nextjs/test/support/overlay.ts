// What the tests call in their own process.
export { calls } from '@remotion/lambda/client'
export { register } from '@/instrumentation'
export * as renderer from '@/lib/remotion-lambda-renderer'
export { poller } from '@/lib/render-poller'
export { client } from '@/lib/render-state'
export * as services from '@/lib/services'
