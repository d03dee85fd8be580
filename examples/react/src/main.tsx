import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { CloakroomProvider } from "@cloakroom/client/react";

import { App } from "./App.tsx";
import { cloakroom } from "./cloakroom.ts";
import "./style.css";

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <CloakroomProvider client={cloakroom}>
      <App />
    </CloakroomProvider>
  </StrictMode>,
);
