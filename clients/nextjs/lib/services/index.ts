export * from './video-render-state-machine'
export * from './video-render-state.service'
