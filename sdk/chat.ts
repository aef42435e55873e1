/** Chat, for both sides: `import { VisitorChat } from ".../sdk/chat.js"`, beside the module of the visitor or the agent. */

export { AgentChats, type AgentChatsEvents, type ChatAgent, type ChatRow, type OpenChat } from "./agent/chats";
export { messageBytes, offer, offerOf, type ChatEnd, type ChatMessage, type ChatStatus, type ChatView } from "./core/chat";
export { VisitorChat, type ChatVisitor, type Said, type VisitorChatEvents } from "./visitor/chat";
