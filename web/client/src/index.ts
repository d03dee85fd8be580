export { createClient, type Client } from "./client.js";
export { CloakroomError, type ErrorCode } from "./error.js";
export type {
  ActiveSession,
  CallInit,
  Claims,
  DeviceSession,
  EndReason,
  LoginOptions,
  NoSession,
  Options,
  Session,
  SessionEvent,
  SessionTimes,
  SignIn,
  User,
} from "./types.js";
