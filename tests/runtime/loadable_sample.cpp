// SPDX-License-Identifier: Apache-2.0
// Compiled to an object and loaded by object_loader_test: one function for each kind of reference
// that an object can hold. Not linked into any program.
#include <cmath>
#include <cstring>

extern "C" {

float sample_table[4] = {1.0f, 2.0f, 3.0f, 4.0f};                          // .data
double sample_zeros[64];                                                   // .bss
const float* const sample_pointers[2] = {sample_table, sample_table + 2};  // .data.rel.ro

int sample_host_add(int a, int b);  // Resolved by the test, at an address of its choice.
extern int sample_host_variable;

int sample_increment(int value) { return value + 1; }

float sample_pointer(int index) { return *sample_pointers[index]; }

double sample_accumulate(int index, double value) { return sample_zeros[index] += value; }

double sample_exp(double value) { return std::exp(value) + 0.125; }

int sample_call_host(int a, int b) { return sample_host_add(a, b) + sample_host_variable; }

void sample_copy(char* to, const char* from, size_t bytes) { std::memmove(to, from, bytes); }

int sample_switch(int value) {  // Enough cases for a jump table in .rodata.
  switch (value) {
    case 0:
      return sample_host_add(3, 4);
    case 1:
      return 11;
    case 2:
      return sample_host_add(5, 6);
    case 3:
      return 33;
    case 4:
      return sample_host_add(7, 8);
    case 5:
      return 77;
    default:
      return -1;
  }
}

}  // extern "C"
