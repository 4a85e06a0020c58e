// Named failpoints (test builds only): RE_FAULT=step:n:kill|eio|enospc|hang|interrupt acts at the n-th
// passage of `step`.
#pragma once

namespace re::sys {

#ifdef RE_FAILPOINTS
/// kill ends this process as SIGKILL does, hang stops it for ever, eio and enospc throw Error (io), interrupt
/// is Ctrl-C at this moment.
void failpoint(const char* step);
#else
inline void failpoint(const char*) {}
#endif

}  // namespace re::sys
