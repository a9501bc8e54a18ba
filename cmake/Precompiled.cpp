// Only carries the precompiled header; see AddBoostr.cmake.
