/* reasons.h: the names of OpenSSL's libraries and reasons. */
#ifndef CINCH_PYTHON_REASONS_H
#define CINCH_PYTHON_REASONS_H

#include "extension.h"

/* Fills the dictionaries of STATE, and adds them to MODULE where stock Python does. 0, or -1. */
int add_reasons(PyObject *module, module_state *state);

/* New references to the names of what CODE says, or to None. NULL with an exception set. */
PyObject *library_of_code(module_state *state, unsigned long code);
PyObject *reason_of_code(module_state *state, unsigned long code);

/* OpenSSL's code for the reason NAME of LIBRARY, 0 if it has none in this version. */
unsigned long code_of_names(const char *library, const char *name);

#endif
