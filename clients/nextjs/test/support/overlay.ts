// What the tests call in their own process.
export { client } from '@/lib/render-state'
export * as services from '@/lib/services'
