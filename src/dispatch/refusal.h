// SPDX-License-Identifier: Apache-2.0
// What an operator throws when it finds, after its cheap checks, that it cannot serve a call (say,
// a kernel that does not compile). The entry then calls the kernel that was there before and counts
// the reason. Refusals that are common are returned by an operator's `refuse` instead: a throw
// costs about 2 us.
#pragma once

namespace tilewise::dispatch {

struct Refusal {
  const char* reason;  // static storage duration
};

}  // namespace tilewise::dispatch
