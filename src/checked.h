/* Telling of deadlocks. */
#ifndef CHECKED_H
#define CHECKED_H

#include <concmap/checked.h>

/* Calls the user's hook. Without locks of the library. */
void cm_deadlock_tell_(const cm_deadlock *deadlock);
/* In a forked child. */
void cm_checked_forget_(void);

#endif
